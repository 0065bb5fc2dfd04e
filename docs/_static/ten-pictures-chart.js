// The chart of the few-shot learner: the reader's guess, a dot for every deal, and what others and the records found.
(() => {
  "use strict";

  const SHOTS = [1, 2, 5, 10];
  const PLOT = { left: 40, right: 300, top: 28, bottom: 205 };
  const HTML = `
    <svg viewBox="0 0 400 245" role="img"></svg>
    <fieldset class="tp-guess"><legend>Your guess first: draw it in the chart</legend>${SHOTS
      .map((k) => `<label>${k}: <output data-part="guess-${k}-text">?</output>
      <input type="range" min="0" max="100" value="50" data-guess="${k}" aria-label="Guess at ${k} of each class, in percent">
      </label>`).join("")}
      <button type="button" data-part="reveal" disabled>Show what was measured</button></fieldset>`;

  const median = (list) => {
    const s = [...list].sort((a, b) => a - b), m = s.length >> 1;
    return s.length % 2 ? s[m] : (s[m - 1] + s[m]) / 2;
  };
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  class Chart {
    constructor(place, curves) {
      place.innerHTML = HTML;
      this.part = (selector) => place.querySelector(selector);
      this.svg = this.part("svg");
      this.reveal = this.part("[data-part=reveal]");
      this.curves = curves;
      this.deals = [];
      this.guess = {};
      for (const slider of place.querySelectorAll("[data-guess]")) {
        slider.addEventListener("input", () => this.setGuess(Number(slider.dataset.guess), Number(slider.value)));
      }
      this.svg.addEventListener("pointerdown", (e) => { this.svg.setPointerCapture(e.pointerId); this.draw(e); });
      this.svg.addEventListener("pointermove", (e) => e.buttons && this.draw(e));
      this.reveal.addEventListener("click", () => { this.revealed = true; this.show(); });
      this.show();
    }

    across(shots) {
      return PLOT.left + 14 + (Math.log10(shots) * (PLOT.right - PLOT.left - 28));
    }

    up(percent) {
      return PLOT.bottom - (percent / 100) * (PLOT.bottom - PLOT.top);
    }

    draw(event) {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 400, y = ((event.clientY - box.top) / box.height) * 245;
      const shots = SHOTS.reduce((a, b) => (Math.abs(this.across(b) - x) < Math.abs(this.across(a) - x) ? b : a));
      const percent = Math.round(((PLOT.bottom - y) / (PLOT.bottom - PLOT.top)) * 100);
      event.preventDefault();
      this.setGuess(shots, Math.min(100, Math.max(0, percent)));
    }

    setGuess(shots, percent) {
      this.guess[shots] = percent;
      this.part(`[data-guess="${shots}"]`).value = percent;
      this.part(`[data-part="guess-${shots}-text"]`).textContent = `${percent}%`;
      this.reveal.disabled = false;
      this.show();
    }

    show(deals = this.deals) {
      this.deals = deals;
      const { left, right, top, bottom } = PLOT, path = (points) =>
        `M${points.map(([k, y]) => `${this.across(k).toFixed(1)} ${this.up(y).toFixed(1)}`).join("L")}`;
      const text = (x, y, label, anchor, name = "") => `<text x="${x}" y="${y}" text-anchor="${anchor}" class="${name}">${label}</text>`;
      let svg = [0, 25, 50, 75, 100].map((y) => `<path class="tp-grid" d="M${left} ${this.up(y)}H${right}"/>` +
        text(left - 6, this.up(y) + 4, y, "end")).join("") +
        SHOTS.map((k) => text(this.across(k), bottom + 18, k, "middle")).join("") +
        text((left + right) / 2, bottom + 36, "pictures of each class", "middle") + text(0, 11, "named rightly, %", "start");
      if (this.revealed) {
        const ends = { "BiT-S": 5, "BiT-M": 3, "BiT-L": 1, "fine-tuned": -3, probe: 12 };
        for (const { name, points } of this.curves) {
          const [k, y] = points[points.length - 1];
          const label = name.startsWith("BiT") ? `${name}, published` : name;
          svg += `<path class="tp-curve tp-${name.toLowerCase()}" d="${path(points)}"/>` +
            text(this.across(k) + 8, this.up(y) + ends[name], label, "start", "tp-name");
        }
      }
      const drawn = SHOTS.filter((k) => k in this.guess).map((k) => [k, this.guess[k]]);
      if (drawn.length) {
        svg += `<path class="tp-guessed" d="${path(drawn)}"/>` +
          drawn.map(([k, y]) => `<circle class="tp-guessed" r="3.5" cx="${this.across(k)}" cy="${this.up(y)}"/>`).join("");
      }
      for (const [kind, shift] of [["pixels", 9], ["random", 3], ["miniature", -5]]) {
        const dots = this.deals.map((d, i) => [d.shots, d[kind], 5 * ((i * 0.618) % 1) - 2.5]); // side by side, not on top
        svg += dots.map(([k, y, jitter]) =>
          `<circle class="tp-dot tp-${kind}" r="2.6" cx="${(this.across(k) + shift + jitter).toFixed(1)}" cy="${this.up(y).toFixed(1)}"/>`).join("");
      }
      this.svg.innerHTML = svg;
      this.svg.setAttribute("aria-label", this.said(drawn));
    }

    said(drawn) {
      const luck = SHOTS.map((k) => [k, this.deals.filter((d) => d.shots === k).map((d) => d.miniature)])
        .filter(([, list]) => list.length)
        .map(([k, list]) => `${plural(list.length, "deal")} of ${k}: ${Math.min(...list)} to ${Math.max(...list)}%`);
      const curves = this.revealed ? this.curves.map(({ name, points }) =>
        `${name} ${points.map(([k, y]) => `${Math.round(y)}% at ${k}`).join(", ")}`) : [];
      return ["Accuracy by pictures of each class", ...luck, ...(drawn.length ? [`your guess ${drawn.map(([k, y]) => `${y}% at ${k}`).join(", ")}`] : []), ...curves].join("; ");
    }
  }

  window.tenPictures = Object.assign(window.tenPictures ?? {}, { Chart, median, plural });
})();
