// A citation or a term shows its reference or definition on hovering and on focus. Escape closes the card; the mouse
// may move onto it, to select text or follow a link.
(() => {
  "use strict";

  const DELAY = { show: 150, hide: 250 };
  const card = document.createElement("div");
  let owner = null;
  let timer = 0;

  const source = (link) => {
    const page = link.pathname.split("/").pop().replace(".html", "");
    return document.getElementById(`card-${page}-${decodeURIComponent(link.hash.slice(1))}`);
  };

  function place(link) {
    const box = link.getClientRects()[0];
    const room = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(box.left, room - card.offsetWidth - 8));
    const below = box.bottom + card.offsetHeight + 8 < window.innerHeight;
    card.style.left = `${left + window.scrollX}px`;
    card.style.top = `${window.scrollY + (below ? box.bottom + 4 : box.top - card.offsetHeight - 4)}px`;
  }

  function show(link) {
    clearTimeout(timer);
    if (owner && owner !== link) hide();
    owner = link;
    card.innerHTML = source(link).innerHTML;
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place(link);
  }

  function hide() {
    clearTimeout(timer);
    card.hidden = true;
    owner?.removeAttribute("aria-describedby");
    owner = null;
  }

  const later = (action, delay) => {
    clearTimeout(timer);
    timer = setTimeout(action, delay);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!document.getElementById("cards")) return;
    card.id = "card-shown";
    card.className = "card-shown";
    card.setAttribute("role", "tooltip");
    card.hidden = true;
    document.body.append(card);
    for (const link of document.querySelectorAll("article a[href*='bibliography.html#'], article a[href*='glossary.html#']")) {
      if (!source(link)) continue;
      link.removeAttribute("title");
      link.addEventListener("mouseenter", () => later(() => show(link), DELAY.show));
      link.addEventListener("mouseleave", () => later(hide, DELAY.hide));
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", hide);
    }
    card.addEventListener("mouseenter", () => clearTimeout(timer));
    card.addEventListener("mouseleave", () => later(hide, DELAY.hide));
    // On the card's own links a click must arrive before the link that owns the card loses the focus.
    card.addEventListener("mousedown", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
    });
  });
})();
