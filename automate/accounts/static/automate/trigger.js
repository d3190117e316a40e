// Shows the boxes of the chosen kind of trigger. Without it all of them are there, and
// what holds something, or is wrong, stays.
"use strict";
const FOLLOW = { "field-address": "scheme", "field-upcoming": "cron" };

const kindsOf = (box) => box.dataset.kinds.split(" ");

const isNeeded = (box, kind) =>
  kindsOf(box).includes(kind) ||
  (box.type === "checkbox" ? box.checked : box.value !== "");

const show = (select) => {
  const form = select.closest(".inline-related") || select.form;
  const rows = new Map();
  for (const box of form.querySelectorAll("[data-kinds]")) {
    const row = box.closest(".form-row");
    if (row) rows.set(row, rows.get(row) || isNeeded(box, select.value));
  }
  for (const [row, needed] of rows) {
    row.hidden = !needed && !row.querySelector(".errorlist");
  }
  for (const said of form.querySelectorAll("[data-kind]")) {
    said.hidden = said.dataset.kind !== select.value;
  }
  for (const [name, other] of Object.entries(FOLLOW)) {
    const row = form.querySelector(`.form-row.${name}`);
    const box = form.querySelector(`[name$="${other}"][data-kinds]`);
    if (row && box) row.hidden = !kindsOf(box).includes(select.value);
  }
};

const isKind = (element) => element.matches('select[name$="kind"]');

document.addEventListener("change", (event) => {
  if (isKind(event.target)) show(event.target);
});
const showAll = (within) => {
  for (const select of within.querySelectorAll('select[name$="kind"]')) show(select);
};
document.addEventListener("formset:added", (event) => showAll(event.target));
document.addEventListener("DOMContentLoaded", () => showAll(document));
