// Shows the boxes of the chosen kind of connection. Without it all of them are there.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("id_kind");
  if (!kind) return;
  const show = () => {
    for (const box of document.querySelectorAll("[data-kinds]")) {
      const row = box.closest(".form-row");
      if (row) row.hidden = !box.dataset.kinds.split(" ").includes(kind.value);
    }
  };
  kind.addEventListener("change", show);
  show();
});
