// What scrolls within the page can be reached by keyboard: only what really scrolls.
"use strict";
const look = () => {
  for (const box of document.querySelectorAll("pre.code")) {
    const scrolls =
      box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
document.addEventListener("DOMContentLoaded", look);
document.addEventListener("toggle", look, true);
window.addEventListener("resize", look);
