// Search and sort for the table of models. The table is ordinary HTML and complete without this script.
(() => {
  "use strict";

  const text = (cell) => cell.textContent.trim();

  // "928" and "1.47" are numbers, a dash is no value; anything else is compared as words, with numbers in them by size.
  function compare(a, b, direction) {
    const [x, y] = [a, b].map((value) => (/^[–-]?$/.test(value) ? null : value));
    if (x === null || y === null) return (x === null) - (y === null);
    const numbers = [x, y].map((value) => Number(value.replace(/,/g, "")));
    const order = numbers.some(Number.isNaN)
      ? x.localeCompare(y, "en", { numeric: true, sensitivity: "base" })
      : numbers[0] - numbers[1];
    return direction * order;
  }

  function sortable(table, body) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text(head);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        const rows = [...body.rows].sort((a, b) => compare(text(a.cells[column]), text(b.cells[column]), direction));
        body.append(...rows);
      });
    });
  }

  function searchable(table, body) {
    const bar = document.createElement("div");
    bar.className = "models-table-bar";
    const label = document.createElement("label");
    label.textContent = "Search the table ";
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "such as JFT, Table 3, or 2019";
    const count = document.createElement("output");
    label.append(input);
    bar.append(label, count);
    const scroller = table.closest(".pst-scrollable-table-container") ?? table;
    scroller.before(bar);
    const rows = [...body.rows].map((row) => [row, row.textContent.toLowerCase()]);
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, content] of rows) {
        row.hidden = !words.every((word) => content.includes(word));
        shown += !row.hidden;
      }
      count.textContent = shown === rows.length ? `${rows.length} models` : `${shown} of ${rows.length} models`;
    };
    input.addEventListener("input", show);
    show();
  }

  function start() {
    for (const table of document.querySelectorAll("table.models-table")) {
      const [body] = table.tBodies;
      sortable(table, body);
      searchable(table, body);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
