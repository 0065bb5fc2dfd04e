// Figures seen large, and pages put on paper.
//
// "enlarge", or a click on the picture, opens a figure over the page: as wide as the window and never smaller than it was
// drawn, so that on a phone its words can be read; fingers pan and pinch it. Escape, the button, or a click beside the
// picture closes it, and the page is where it was.
(() => {
  "use strict";

  let dialog = null;
  let opener = null;

  function build() {
    dialog = document.createElement("dialog");
    dialog.className = "bit-enlarged";
    dialog.innerHTML = '<button type="button" class="bit-enlarged-close">Close</button><div tabindex="0"></div><p></p>';
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target.tagName !== "IMG" && event.target.tagName !== "P") dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.querySelector("div").replaceChildren();
      opener?.focus({ preventScroll: true });
    });
    document.body.append(dialog);
  }

  function enlarge(figure, from) {
    const shown = [...figure.querySelectorAll("img.only-light, img.only-dark")].find(
      (image) => image.classList.contains("only-dark") === (document.documentElement.dataset.theme === "dark"),
    );
    if (!shown) return false;
    if (!dialog) build();
    opener = from;
    const image = new Image();
    image.src = shown.src;
    image.alt = shown.alt;
    image.width = shown.getAttribute("width");
    image.height = shown.getAttribute("height");
    image.style.minWidth = `${image.width}px`;
    const number = figure.querySelector(".caption-number")?.textContent.trim() ?? "Figure";
    dialog.setAttribute("aria-label", number);
    dialog.querySelector("div").setAttribute("aria-label", `${number}, enlarged`);
    dialog.querySelector("div").setAttribute("role", "group");
    dialog.querySelector("div").replaceChildren(image);
    dialog.querySelector("p").textContent = [".caption-number", ".caption-text"]
      .map((part) => figure.querySelector(`figcaption ${part}`)?.textContent.trim() ?? "")
      .join(" ");
    dialog.showModal();
    return true;
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const figure of document.querySelectorAll("figure.bit-figure")) {
      for (const link of figure.querySelectorAll("a.bit-enlarge")) {
        link.addEventListener("click", (event) => {
          if (!event.ctrlKey && !event.metaKey && !event.shiftKey && enlarge(figure, link)) event.preventDefault();
        });
      }
      for (const image of figure.querySelectorAll(":scope > picture > img")) {
        image.addEventListener("click", () => enlarge(figure, [...figure.querySelectorAll("a.bit-enlarge")].find((link) => link.checkVisibility())));
      }
    }
  });

  // On paper a page is light, its answers are open and its wide pictures are there; afterwards it is as it was.
  let before = null;
  window.addEventListener("beforeprint", () => {
    if (before) return;
    const folds = [...document.querySelectorAll("article details:not([open])")];
    const narrow = [...document.querySelectorAll("article picture > source")];
    before = { theme: document.documentElement.dataset.theme, folds, narrow, media: narrow[0]?.media };
    for (const source of narrow) source.media = "not all";
    document.documentElement.dataset.theme = "light";
    for (const fold of folds) fold.open = true;
    for (const image of document.querySelectorAll("article img[loading]")) image.loading = "eager";
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    document.documentElement.dataset.theme = before.theme;
    for (const fold of before.folds) fold.open = false;
    for (const source of before.narrow) source.media = before.media;
    before = null;
  });
})();
