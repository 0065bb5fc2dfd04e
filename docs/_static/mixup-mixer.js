// The mixer of the MixUp page. It blends two pictures and their labels as bitdoc.training.mixup.mix does, and draws weights
// from Beta(alpha, alpha) as bitdoc.training.mixup.draw_lambda does. The HTML comes from bitdoc/figures/mixup/pictures.py.
(() => {
  "use strict";

  const PLOT = { left: 34, right: 290, top: 10, bottom: 130 };
  const CEILINGS = [1, 2, 3, 4, 6, 8, 10, 15, 20];
  const BINS = 20;
  const PURE = 0.1;

  // A small generator with a seed (mulberry32), so that a page shows the same draws each time it is opened.
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function normal(random) {
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }

  // Logarithm of a draw from Gamma(alpha): Marsaglia and Tsang's method at alpha + 1, then Gamma(alpha) =
  // Gamma(alpha + 1) * U^(1 / alpha). In logarithms, because for a small alpha the draw itself can round to 0.
  function logGammaDraw(alpha, random) {
    const d = alpha + 1 - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const z = normal(random);
      const v = (1 + c * z) ** 3;
      if (v > 0 && Math.log(1 - random()) < 0.5 * z * z + d - d * v + d * Math.log(v)) {
        return Math.log(d * v) + Math.log(1 - random()) / alpha;
      }
    }
  }

  function drawLambda(alpha, random) {
    return 1 / (1 + Math.exp(logGammaDraw(alpha, random) - logGammaDraw(alpha, random)));
  }

  // Stirling's series, after moving the argument up to where it is exact to ten digits.
  function logGamma(x) {
    let shift = 0;
    for (; x < 8; x += 1) shift -= Math.log(x);
    const y = 1 / (x * x);
    const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y / 1680))) / x;
    return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
  }

  function density(alpha, lam) {
    return Math.exp(
      logGamma(2 * alpha) - 2 * logGamma(alpha) + (alpha - 1) * (Math.log(lam) + Math.log(1 - lam)),
    );
  }

  const across = (lam) => PLOT.left + lam * (PLOT.right - PLOT.left);
  const up = (height, ceiling) => PLOT.bottom - (height / ceiling) * (PLOT.bottom - PLOT.top);

  class Mixer {
    constructor(root) {
      this.root = root;
      this.parts = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
      this.alphas = root.dataset.alphas.split(" ").map(Number);
      this.random = generator(Number(root.dataset.seed));
      this.draws = [];
    }

    async start() {
      await Promise.all([this.parts.cat.decode(), this.parts.cup.decode()]);
      this.pixels = [this.parts.cat, this.parts.cup].map((image) => this.read(image));
      this.frame();
      this.parts.lam.addEventListener("input", () => this.showMix());
      this.parts.alpha.addEventListener("input", () => this.changeAlpha());
      this.parts.one.addEventListener("click", () => this.draw(1));
      this.parts.many.addEventListener("click", () => this.draw(100));
      this.takePlaceOfStill();
      this.showMix();
      this.changeAlpha();
    }

    // The still figure keeps its number and caption; the widget stands where its picture was, and the notebook cell that
    // brought it goes, because it is empty now.
    takePlaceOfStill() {
      const still = document.getElementById("fig-mixup-mixer");
      if (still) {
        const cell = this.root.closest(".cell");
        still.prepend(this.root);
        cell?.remove();
        still.classList.add("mixer-live");
      }
      this.root.hidden = false;
    }

    read(image) {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    }

    get alpha() {
      return this.alphas[Number(this.parts.alpha.value)];
    }

    showMix() {
      const lam = Number(this.parts.lam.value);
      const context = this.parts.picture.getContext("2d");
      const mixed = context.createImageData(this.parts.picture.width, this.parts.picture.height);
      const [cat, cup] = this.pixels;
      for (let i = 0; i < mixed.data.length; i += 1) mixed.data[i] = lam * cat[i] + (1 - lam) * cup[i];
      context.putImageData(mixed, 0, 0);
      this.lines.here.setAttribute("d", `M${across(lam).toFixed(1)} ${PLOT.top}V${PLOT.bottom}`);
      this.parts.picture.setAttribute("aria-label", `A picture mixed from ${lam.toFixed(2)} cat, ${(1 - lam).toFixed(2)} cup`);
      this.parts["lam-text"].textContent = lam.toFixed(2);
      for (const [name, share] of [["cat", lam], ["cup", 1 - lam]]) {
        this.parts[`${name}-bar`].style.width = `${100 * share}%`;
        this.parts[`${name}-text`].textContent = share.toFixed(2);
      }
    }

    changeAlpha() {
      this.parts["alpha-text"].textContent = this.alpha;
      this.parts.alpha.setAttribute("aria-valuetext", String(this.alpha));
      this.draws = [];
      this.showDraws();
    }

    draw(count) {
      for (let i = 0; i < count; i += 1) this.draws.push(drawLambda(this.alpha, this.random));
      this.parts.lam.value = this.draws[this.draws.length - 1]; // the picture shows the last draw
      this.showMix();
      this.showDraws();
    }

    // Axes and empty curves, once; what moves is filled in by showDraws.
    frame() {
      const text = (x, y, label, anchor) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${label}</text>`;
      const levels = [0, 0.5, 1];
      const ticks = [0, 0.5, 1];
      this.parts.density.innerHTML =
        levels.map((part) => `<path class="mixer-grid" d="M${across(0)} ${up(part, 1)}H${across(1)}"/>`).join("") +
        levels.map((part) => text(across(0) - 6, up(part, 1) + 4, "", "end")).join("") +
        ticks.map((lam) => text(across(lam), 172, lam, "middle")).join("") +
        text(across(0.5), 187, "λ", "middle") +
        text(across(0.5), 22, "density", "middle") +
        '<path class="mixer-bars"/><path class="mixer-curve"/><path class="mixer-here"/><path class="mixer-rug"/>';
      this.levels = [...this.parts.density.querySelectorAll("text")].slice(0, levels.length);
      this.lines = Object.fromEntries(
        ["bars", "curve", "here", "rug"].map((name) => [name, this.parts.density.querySelector(`.mixer-${name}`)]),
      );
    }

    // The axis ends above everything that is drawn: the curve from 0.005 to 0.995, and the bars of the draws.
    showDraws() {
      const steps = Array.from({ length: 199 }, (_, i) => (i + 1) / 200);
      const heights = steps.map((lam) => density(this.alpha, lam));
      const counts = Array(BINS).fill(0);
      for (const lam of this.draws) counts[Math.min(BINS - 1, Math.floor(lam * BINS))] += 1;
      const bars = counts.map((n) => (n * BINS) / Math.max(1, this.draws.length));
      const top = Math.max(...heights, ...bars);
      const ceiling = CEILINGS.find((level) => level >= top);
      this.levels.forEach((label, i) => { label.textContent = (ceiling * i) / 2; });
      const points = steps.map((lam, i) => `${across(lam).toFixed(1)} ${up(heights[i], ceiling).toFixed(1)}`);
      this.lines.curve.setAttribute("d", `M${points.join("L")}`);
      this.lines.rug.setAttribute("d", this.draws.map((lam) => `M${across(lam).toFixed(1)} 138v18`).join(""));
      const boxes = bars.map((height, i) => {
        const base = up(0, ceiling);
        return `M${across(i / BINS)} ${base}V${up(height, ceiling)}H${across((i + 1) / BINS)}V${base}Z`;
      });
      this.lines.bars.setAttribute("d", this.draws.length ? boxes.join("") : "");
      this.describe();
    }

    describe() {
      const total = this.draws.length;
      const pure = this.draws.filter((lam) => Math.min(lam, 1 - lam) < PURE).length;
      const last = total ? `; the last is ${this.draws[total - 1].toFixed(2)}` : "";
      const share = total ? `; ${Math.round((100 * pure) / total)}% leave one picture below a tenth` : "";
      const said = `${total} ${total === 1 ? "draw" : "draws"}${last}${share}.`;
      this.parts.count.textContent = said;
      this.parts.density.setAttribute("aria-label", `Density of Beta(${this.alpha}, ${this.alpha}). ${said}`);
    }
  }

  for (const root of document.querySelectorAll(".mixer")) {
    root.mixer = new Mixer(root);
    root.mixer.start();
  }
})();
