// Names for what the theme leaves without one: the sidebar, its buttons, and the boxes in which wide tables scroll; and a
// sign at the edge of what scrolls sideways, as long as more of it stands beyond.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const sidebar = document.getElementById("pst-primary-sidebar");
  sidebar?.setAttribute("role", "region");
  sidebar?.setAttribute("aria-label", "Site");
  for (const summary of document.querySelectorAll("nav.bd-links details > summary")) {
    const above = summary.closest("li").querySelector("a").textContent.trim();
    summary.setAttribute("aria-label", `Pages under ${above}`);
  }
  // A name that begins as the button reads, so that it can be said to a computer that listens.
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.setAttribute("aria-label", button.textContent.trim().replace(/\s+/g, " "));
  }
  for (const box of document.querySelectorAll(".pst-scrollable-table-container")) {
    const caption = box.querySelector("caption .caption-text")?.textContent;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", caption ? `Table: ${caption}` : "Table");
  }

  // A table of sentences is read row by row on a phone, each cell under the head of its column.
  for (const table of document.querySelectorAll("table.sentences:not(.models-table)")) {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, place) => (cell.dataset.label = heads[place]));
    }
    table.classList.add("labelled");
  }

  const boxes = [...document.querySelectorAll(".pst-scrollable-table-container, .math-scroll")];
  const mark = (box) =>
    box.classList.toggle("more-beyond", box.scrollWidth - box.clientWidth - box.scrollLeft > 4);
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
  for (const box of boxes) {
    box.addEventListener("scroll", () => mark(box), { passive: true });
    sizes.observe(box);
  }
});
