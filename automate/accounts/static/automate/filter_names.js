// Django's boxes that filter a choice say what they are for on spans, whose names no
// reader tells: as pictures they have names. Django makes them once the page is loaded.
"use strict";
window.addEventListener("load", () => {
  for (const sign of document.querySelectorAll("label > .help-tooltip[aria-label]")) {
    sign.setAttribute("role", "img");
  }
});
