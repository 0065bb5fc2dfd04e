// A citation, a term, or a reference to a figure, table or equation of the page shows what it refers to on hovering and
// on focus. Escape closes the card; the mouse may move onto it, to select text or follow a link. A finger, which cannot
// hover, shows the card with the first tap and follows the link with the second.
(() => {
  "use strict";

  const DELAY = { show: 150, hide: 250 };
  const EXPLAINED = "article a[href*='bibliography.html#'], article a[href*='glossary.html#']";
  const NUMBERED = "article p a[href^='#fig-'], article p a[href^='#tab-'], article p a[href^='#equation-']";
  const NOT_ON_A_CARD = ".headerlink, .legend, .bit-measured, button, script";
  const card = document.createElement("div");
  let owner = null;
  let timer = 0;
  let finger = false;

  function target(link) {
    const anchor = decodeURIComponent(link.hash.slice(1));
    if (link.getAttribute("href").startsWith("#")) {
      const found = document.getElementById(anchor);
      return found?.closest("figure, table, div.math") ?? found?.querySelector("figure, table, div.math");
    }
    const page = link.pathname.split("/").pop().replace(".html", "");
    return document.getElementById(`card-${page}-${anchor}`);
  }

  // A copy of what is shown, without names that may stand once on a page and without what belongs to its place.
  function content(link) {
    const copy = target(link).cloneNode(true);
    for (const element of [copy, ...copy.querySelectorAll("[id]")]) element.removeAttribute("id");
    for (const element of copy.querySelectorAll(NOT_ON_A_CARD)) element.remove();
    if (copy.matches("figure")) {
      // In a figure that has come alive the still picture stands for the widget.
      copy.className = "bit-figure";
      for (const element of copy.querySelectorAll(":scope > :not(picture, figcaption)")) element.remove();
    }
    for (const element of copy.querySelectorAll("[loading]")) element.removeAttribute("loading");
    for (const element of copy.querySelectorAll("[tabindex]")) element.removeAttribute("tabindex");
    return copy.matches("figure, table, div.math") ? [copy] : [...copy.childNodes];
  }

  function place(link) {
    const box = link.getClientRects()[0];
    card.style.maxHeight = "";
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - card.offsetWidth - 8));
    // Below the line if there is room, else on the side that has more, and no higher than that side.
    const room = { below: window.innerHeight - box.bottom - 12, above: box.top - 12 };
    const below = card.offsetHeight <= room.below || room.below >= room.above;
    card.style.maxHeight = `${Math.max(140, below ? room.below : room.above)}px`;
    card.style.left = `${left + window.scrollX}px`;
    card.style.top = `${window.scrollY + (below ? box.bottom + 4 : box.top - card.offsetHeight - 4)}px`;
  }

  function show(link) {
    clearTimeout(timer);
    if (owner === link) return;
    if (owner) hide();
    owner = link;
    card.replaceChildren(...content(link));
    card.classList.toggle("card-wide", link.matches(NUMBERED));
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

  // The tap that opens a card comes as a click after the focus has opened it; what was open before the finger came down
  // decides whether the link is followed.
  function listen(link) {
    let wasOpen = false;
    link.removeAttribute("title");
    link.addEventListener("pointerdown", (event) => {
      finger = event.pointerType === "touch";
      wasOpen = owner === link;
    });
    link.addEventListener("click", (event) => {
      if (!finger || wasOpen) return;
      event.preventDefault();
      show(link);
    });
    link.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "touch") later(() => show(link), DELAY.show);
    });
    link.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") later(hide, DELAY.hide);
    });
    link.addEventListener("focus", () => show(link));
    link.addEventListener("blur", hide);
    link.addEventListener("keydown", () => {
      finger = false;
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const links = [...document.querySelectorAll(`${EXPLAINED}, ${NUMBERED}`)].filter(target);
    if (!links.length) return;
    card.id = "card-shown";
    card.className = "card-shown";
    card.setAttribute("role", "tooltip");
    card.hidden = true;
    document.body.append(card);
    links.forEach(listen);
    card.addEventListener("mouseenter", () => clearTimeout(timer));
    card.addEventListener("mouseleave", () => later(hide, DELAY.hide));
    // On the card's own links a click must arrive before the link that owns the card loses the focus.
    card.addEventListener("mousedown", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
    });
    // A tap beside the card closes it, also where the browser does not move the focus.
    document.addEventListener("pointerdown", (event) => {
      if (owner && event.pointerType === "touch" && !card.contains(event.target) && !owner.contains(event.target)) hide();
    });
  });
})();
