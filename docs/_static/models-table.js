// Search and sort for the table of models, and its shape as cards on a phone. The table is ordinary HTML and complete
// without this script. A family's heading is a row with bold words and empty cells.
(() => {
  "use strict";

  const text = (cell) => cell.textContent.trim();
  const isHeading = (row) => row.cells[0].querySelector("strong") !== null;
  const isNothing = (value) => /^[–-]?$/.test(value);

  // "928", "1.47" and "76.7 (256)" are numbers, a dash is no value; anything else is compared as words, with the
  // numbers in them by size.
  function compare(a, b, direction) {
    const nothing = [a, b].map(isNothing);
    if (nothing[0] || nothing[1]) return nothing[0] - nothing[1];
    const [x, y] = [a, b].map((value) => (/^[\d.,]+(?: \(\d+\))?$/.test(value) ? parseFloat(value.replace(/,/g, "")) : NaN));
    const order = Number.isNaN(x + y) ? a.localeCompare(b, "en", { numeric: true, sensitivity: "base" }) : x - y;
    return direction * order;
  }

  function start(table) {
    const [body] = table.tBodies;
    const heads = [...table.tHead.rows[0].cells];
    const names = heads.map(text);
    const byFamily = [...body.rows];
    const models = byFamily.filter((row) => !isHeading(row));
    const words = new Map(models.map((row) => [row, row.textContent.toLowerCase()]));
    const isNumeric = (column) => models.some((row) => /^\d/.test(text(row.cells[column]))) && column > 1;
    let sorted = null; // { column, direction }, or null for families

    for (const row of byFamily) {
      row.classList.toggle("family", isHeading(row));
      [...row.cells].forEach((cell, column) => {
        cell.dataset.label = names[column];
        cell.classList.toggle("nothing", isNothing(text(cell)));
      });
    }

    const bar = document.createElement("div");
    bar.className = "models-table-bar";
    bar.innerHTML =
      '<label>Search the table <input type="search" placeholder="such as JFT, Table 3, or 2019"></label>' +
      '<label class="only-cards">Sort by <select><option value="">family</option></select></label><output></output>';
    const [input, select, count] = ["input", "select", "output"].map((name) => bar.querySelector(name));
    names.forEach((name, column) => {
      if (isNumeric(column)) select.add(new Option(name, String(column)));
    });
    (table.closest(".pst-scrollable-table-container") ?? table).before(bar);

    function show() {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of models) {
        row.hidden = !wanted.every((word) => words.get(row).includes(word));
        shown += !row.hidden;
      }
      let heading = null;
      for (const row of byFamily) {
        if (isHeading(row)) {
          heading = row;
          row.hidden = true;
        } else if (sorted === null && !row.hidden) heading.hidden = false;
      }
      count.textContent = shown === models.length ? `${shown} models` : `${shown} of ${models.length} models`;
    }

    function sort(next) {
      sorted = next;
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      select.value = "";
      if (sorted === null) body.append(...byFamily);
      else {
        const { column, direction } = sorted;
        heads[column].setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        if (isNumeric(column)) select.value = String(column);
        body.append(...[...models].sort((a, b) => compare(text(a.cells[column]), text(b.cells[column]), direction)));
      }
      show();
    }

    // First the order that one asks for, the largest numbers or the first words; then the other one; then families.
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text(head);
      head.replaceChildren(button);
      const first = isNumeric(column) ? -1 : 1;
      button.addEventListener("click", () => {
        const same = sorted !== null && sorted.column === column;
        if (same && sorted.direction !== first) sort(null);
        else sort({ column, direction: same ? -first : first });
      });
    });
    input.addEventListener("input", show);
    select.addEventListener("change", () => {
      sort(select.value === "" ? null : { column: Number(select.value), direction: -1 });
    });
    table.classList.add("cards");
    show();
  }

  function all() {
    document.querySelectorAll("table.models-table").forEach(start);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
