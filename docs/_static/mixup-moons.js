// The slider of the half-moons on the MixUp page. Maps, boundaries and shares were computed when the page was built, by
// bitdoc/figures/mixup/slider.py, from committed runs; here they are only shown.
(() => {
  "use strict";

  class Moons {
    constructor(root) {
      this.root = root;
      this.parts = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
      this.layers = [...root.querySelectorAll("[data-layer]")];
      const list = (name) => root.dataset[name].split(" ");
      this.alphas = list("alphas");
      this.tests = list("tests");
      this.trains = list("trains");
      this.places = this.parts.plot.dataset.places.split(" ").map(Number);
      this.parts.alpha.addEventListener("input", () => this.show());
      this.takePlaceOfStill();
      this.show();
    }

    // The still figure keeps its number and caption; the notebook cell that brought the widget goes, because it is empty.
    takePlaceOfStill() {
      const still = document.getElementById("fig-mixup-moons");
      if (still) {
        const cell = this.root.closest(".cell");
        still.prepend(this.root);
        cell?.remove();
        still.classList.add("moons-live");
      }
      this.root.hidden = false;
    }

    show() {
      const place = Number(this.parts.alpha.value);
      const alpha = this.alphas[place];
      this.layers.forEach((layer, i) => layer.toggleAttribute("hidden", i !== place));
      this.parts["alpha-text"].textContent = alpha;
      this.parts.alpha.setAttribute("aria-valuetext", alpha);
      this.parts.marker.setAttribute("transform", `translate(${this.places[place]} 0)`);
      const said = `Right on fresh points: ${this.tests[place]}%. Fit to the labels as given: ${this.trains[place]}%.`;
      this.parts.said.textContent = said;
      const name = alpha === "0" ? "without MixUp" : `at alpha ${alpha}`;
      this.parts.map.setAttribute("aria-label", `What the network answers in the plane ${name}. ${said}`);
    }
  }

  for (const root of document.querySelectorAll(".moons")) root.moons = new Moons(root);
})();
