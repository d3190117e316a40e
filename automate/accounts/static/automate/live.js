// Keeps the page of a run up to date while the run goes on: told by the stream of its
// events, or, where that cannot be reached, by asking for its state with an ETag.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const content = document.getElementById("content");
  const live = document.getElementById("live");
  if (!content || !live) return;

  const GATHER = 300; // milliseconds: changes come in groups
  const APART = 2000; // between two readings of the page
  const POLL = 3000;
  const events = live.dataset.events;
  const state = live.dataset.state;
  const note = document.createElement("p");
  note.className = "visually-hidden";
  note.setAttribute("role", "status");
  document.body.append(note);

  let source = null;
  let due = 0; // timer of the next reading
  let poll = 0; // timer of the next question
  let read = 0; // when the page was last read
  let etag = "";

  const soon = () => {
    if (due) return;
    due = setTimeout(refresh, Math.max(GATHER, read + APART - Date.now()));
  };
  const stop = () => {
    if (source) source.close();
    clearTimeout(poll);
    clearTimeout(due);
    source = null;
    poll = due = 0;
    content.dataset.live = "over";
  };

  // What somebody has begun to write must not be taken from under their hands.
  const isWritten = () =>
    [...content.querySelectorAll("input, textarea, select")].some(
      (field) =>
        field === document.activeElement ||
        ("defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue),
    );

  async function refresh() {
    due = 0;
    if (document.hidden || isWritten()) {
      due = setTimeout(refresh, APART);
      return;
    }
    read = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) {
        stop(); // signed out, or not to be seen any more: the next click tells
        return;
      }
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      soon(); // the server is away for a moment
    }
  }

  const names = (nodes) => {
    const seen = {};
    return nodes.map((node) => {
      const text = node.querySelector("summary")?.textContent.trim() ?? "";
      seen[text] = (seen[text] ?? 0) + 1;
      return `${text} ${seen[text]}`;
    });
  };
  const folds = (root) => {
    const nodes = [...root.querySelectorAll("details")];
    const keys = names(nodes);
    return new Map(nodes.map((node, at) => [keys[at], node]));
  };

  function show(page) {
    const fresh = page.getElementById("content");
    if (!fresh) {
      stop();
      return;
    }
    const focused = content.contains(document.activeElement) ? document.activeElement : null;
    const href = focused?.getAttribute("href");
    const open = [...folds(content)].map(([key, node]) => [key, node.open]);
    const before = content.querySelector("h1 .pill")?.textContent;
    content.replaceChildren(...fresh.childNodes);
    const now = folds(content);
    for (const [key, was] of open) if (now.has(key)) now.get(key).open = was;
    if (href) content.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
    const after = content.querySelector("h1 .pill")?.textContent;
    if (after && after !== before) note.textContent = `The run is now: ${after.trim()}`;
    if (!document.getElementById("live")) stop();
  }

  async function ask() {
    poll = 0;
    try {
      if (!document.hidden) {
        const headers = etag ? { "If-None-Match": etag } : {};
        const answer = await fetch(state, { headers, cache: "no-store" });
        if (answer.status === 200) {
          if (etag) soon();
          etag = answer.headers.get("ETag") ?? "";
        } else if (answer.status !== 304) {
          stop();
          return;
        }
      }
    } catch {
      // Away for a moment: asked again.
    }
    if (content.dataset.live === "poll") poll = setTimeout(ask, POLL);
  }

  const begin = (how) => {
    content.dataset.live = how;
    clearTimeout(poll);
    poll = 0;
    if (how === "poll") ask();
  };

  if (!window.EventSource) {
    begin("poll");
    return;
  }
  source = new EventSource(events, { withCredentials: true });
  source.addEventListener("open", () => begin("stream"));
  for (const kind of ["run", "step", "attempt", "log", "end"]) {
    source.addEventListener(kind, soon);
  }
  source.addEventListener("end", () => source?.close());
  // It comes back by itself unless it was refused; until then the page asks.
  source.addEventListener("error", () => {
    if (content.dataset.live !== "poll" && content.dataset.live !== "over") begin("poll");
  });
});
