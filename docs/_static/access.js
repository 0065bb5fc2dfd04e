// Names for what the theme leaves without one: the sidebar, its buttons, and the boxes in which wide tables scroll.
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
});
