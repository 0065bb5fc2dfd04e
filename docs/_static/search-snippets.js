// Below the name of each page that a search has found: some of its words, around the first of those that were sought.
// A page's paragraphs are in a script of their own, which loads from disk, too, where a page may read no other page.
(() => {
  "use strict";

  const LENGTH = 180;
  const BEFORE = 50;
  const pages = new Map();

  function stems(text) {
    return splitQuery(text.toLowerCase()).map((word) => new Stemmer().stemWord(word));
  }

  // Where the sought word begins that has the most of the others soon behind it; 0 if there is none.
  function place(text, sought) {
    let first = { at: 0, near: 0 };
    for (const { 0: word, index: at } of text.matchAll(/[\p{Letter}\p{Number}_]+/gu)) {
      if (!sought.includes(stems(word)[0])) continue;
      const near = new Set(stems(text.slice(at, at + LENGTH - BEFORE)).filter((stem) => sought.includes(stem))).size;
      if (near > first.near) first = { at, near };
    }
    return first.at;
  }

  // The paragraph that holds most of the sought words: of the section that was found, else of the page.
  function best(paragraphs, section, sought) {
    const inside = paragraphs.filter(([id]) => id === section);
    const held = (text) => { const own = stems(text); return sought.filter((stem) => own.includes(stem)).length; };
    const most = (some) => some.reduce((first, [, text]) => {
      const count = held(text);
      return count > first.count ? { count, text } : first;
    }, { count: 0, text: "" }).text;
    return most(inside) || most(paragraphs) || (inside[0] ?? paragraphs[0] ?? ["", ""])[1];
  }

  function around(text, sought) {
    const at = place(text, sought);
    const start = at <= BEFORE ? 0 : text.indexOf(" ", at - BEFORE) + 1;
    const end = start + LENGTH >= text.length ? text.length : text.lastIndexOf(" ", start + LENGTH);
    return `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
  }

  function tell(item, paragraphs) {
    const section = decodeURIComponent(item.querySelector("a").hash.slice(1));
    const asked = new URLSearchParams(window.location.search).get("q") ?? "";
    const sought = stems(asked);
    const text = around(best(paragraphs, section, sought), sought);
    if (!text) return;
    const told = document.createElement("p");
    told.className = "context";
    told.textContent = text;
    item.append(told);
  }

  window.bitdocFound = (page, paragraphs) => {
    for (const item of pages.get(page) ?? []) tell(item, paragraphs);
    pages.set(page, []);
  };

  function ask(item) {
    const link = item.querySelector("a");
    if (!link || item.classList.contains("kind-object")) return;
    const page = link.getAttribute("href").split("#")[0].replace(/\.html$/, "");
    if (pages.get(page)?.length) { pages.get(page).push(item); return; }
    pages.set(page, [item]);
    const script = document.createElement("script");
    script.src = `${document.documentElement.dataset.content_root}_static/search/${page}.js`;
    document.head.append(script);
  }

  const results = document.getElementById("search-results");
  if (!results) return;
  new MutationObserver((changes) => {
    for (const item of changes.flatMap((change) => [...change.addedNodes])) if (item.matches?.("ul.search > li")) ask(item);
  }).observe(results, { childList: true, subtree: true });
})();
