// A filter as an arrow on a circle: how far each step of SGD turns it, and what learning rate and decay do about that.
// noise() and walk() are those of bitdoc/figures/normalization/circle.py; a browser test holds both sides together.
(() => {
  "use strict";

  const STEPS = 600, START = 2.4;
  const RATES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
  const DECAYS = [0, 0.005, 0.01, 0.02, 0.05, 0.1];
  const SVG = "http://www.w3.org/2000/svg";

  // Lehmer's generator (Park & Miller 1988).
  function noise(steps) {
    let state = 20260;
    const next = () => {
      state = (state * 16807) % 2147483647;
      return (2 * state) / 2147483647 - 1;
    };
    return Array.from({ length: steps }, () => [next(), next()]);
  }

  // The tips of the arrow, before the first step and after each, and the degrees by which each step turned it.
  function walk(rate, decay, standardized, steps = STEPS) {
    let x = Math.cos(START), y = Math.sin(START);
    const tips = [[x, y]], angles = [];
    for (const [across, up] of noise(steps)) {
      const pull = [1 + across, up];
      let step = [pull[0] - x, pull[1] - y];
      if (standardized) {
        const length = Math.hypot(x, y);
        const turn = (x * pull[1] - y * pull[0]) / length ** 2;
        step = [(-turn * y) / length, (turn * x) / length];
      }
      const newX = (1 - rate * decay) * x + rate * step[0], newY = (1 - rate * decay) * y + rate * step[1];
      angles.push((Math.abs(Math.atan2(x * newY - y * newX, x * newX + y * newY)) * 180) / Math.PI);
      [x, y] = [newX, newY];
      tips.push([x, y]);
    }
    return { tips, angles };
  }

  // Root mean square of the last 40 angles at each step.
  function smoothed(angles, window = 40) {
    return angles.map((_, n) => {
      const part = angles.slice(Math.max(0, n - window + 1), n + 1);
      return Math.sqrt(part.reduce((sum, angle) => sum + angle ** 2, 0) / part.length);
    });
  }

  const balance = (rate, decay) => (Math.sqrt(2 * rate * decay) * 180) / Math.PI;
  const round = (x, digits = 2) => x.toFixed(digits).replace("-", "−");

  const HTML = `
    <fieldset><legend>Filter</legend>
      <label><input type="radio" name="nc-kind" value="standardized" checked> standardized</label>
      <label><input type="radio" name="nc-kind" value="plain"> plain</label></fieldset>
    <div class="nc-sliders">
      <label>Learning rate <output data-part="rate-text"></output>
        <input type="range" min="0" max="${RATES.length - 1}" step="1" value="3" data-part="rate"></label>
      <label>Decay <output data-part="decay-text"></output>
        <input type="range" min="0" max="${DECAYS.length - 1}" step="1" value="4" data-part="decay"></label>
      <label>Step <output data-part="step-text"></output>
        <input type="range" min="0" max="${STEPS}" step="1" value="${STEPS}" data-part="step"></label>
    </div>
    <div class="nc-views">
      <svg viewBox="-2 -2 4 4" role="img" aria-label="The arrow and the path of its tip" data-part="circle"></svg>
      <svg viewBox="0 0 340 220" role="img" aria-label="Degrees by which each step turns the arrow" data-part="trace"></svg>
    </div>
    <p data-part="said" aria-live="polite"></p>`;

  function make(parent, tag, attributes = {}, text = "") {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  const PLOT = { left: 44, right: 330, top: 14, bottom: 180, low: Math.log10(0.1), high: Math.log10(60) };
  const across = (step) => PLOT.left + ((PLOT.right - PLOT.left) * step) / STEPS;
  const down = (angle) => {
    const share = (Math.log10(Math.max(angle, 0.1)) - PLOT.low) / (PLOT.high - PLOT.low);
    return PLOT.bottom - (PLOT.bottom - PLOT.top) * Math.min(share, 1);
  };

  class Circle {
    constructor(figure) {
      this.root = document.createElement("div");
      this.root.className = "norm-circle";
      this.root.innerHTML = HTML;
      this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
      this.drawGround();
      this.root.addEventListener("input", () => this.show());
      figure.prepend(this.root);
      figure.classList.add("norm-circle-live");
      this.show();
    }

    drawGround() {
      const { circle, trace } = this.parts;
      make(circle, "circle", { r: 1, class: "nc-ring" });
      this.path = make(circle, "polyline", { class: "nc-path" });
      this.arrow = make(circle, "path", { class: "nc-arrow" });
      for (const angle of [0.1, 1, 10]) {
        make(trace, "line", { x1: PLOT.left, x2: PLOT.right, y1: down(angle), y2: down(angle), class: "nc-grid" });
        make(trace, "text", { x: PLOT.left - 6, y: down(angle) + 4, "text-anchor": "end" }, `${angle}°`);
      }
      for (const step of [0, 200, 400, 600]) {
        make(trace, "text", { x: across(step), y: PLOT.bottom + 18, "text-anchor": "middle" }, String(step));
      }
      make(trace, "text", { x: (PLOT.left + PLOT.right) / 2, y: PLOT.bottom + 34, "text-anchor": "middle" }, "step");
      this.even = make(trace, "line", { x1: PLOT.left, x2: PLOT.right, class: "nc-even" });
      this.line = make(trace, "polyline", { class: "nc-line" });
      this.now = make(trace, "circle", { r: 4, class: "nc-now" });
    }

    show() {
      const rate = RATES[Number(this.parts.rate.value)], decay = DECAYS[Number(this.parts.decay.value)];
      const step = Number(this.parts.step.value);
      const standardized = this.root.querySelector("[name=nc-kind]:checked").value === "standardized";
      const { tips, angles } = walk(rate, decay, standardized);
      const even = smoothed(angles), [x, y] = tips[step];
      this.parts["rate-text"].textContent = String(rate);
      this.parts["decay-text"].textContent = String(decay);
      this.parts["step-text"].textContent = String(step);
      this.parts.rate.setAttribute("aria-valuetext", String(rate));
      this.parts.decay.setAttribute("aria-valuetext", String(decay));
      this.path.setAttribute("points", tips.slice(0, step + 1).map(([a, b]) => `${a.toFixed(3)},${(-b).toFixed(3)}`).join(" "));
      this.drawArrow(x, y);
      this.line.setAttribute("points", even.map((angle, n) => `${across(n + 1).toFixed(1)},${down(angle).toFixed(1)}`).join(" "));
      const settles = standardized && decay > 0;
      this.even.style.display = settles ? "" : "none";
      if (settles) for (const end of ["y1", "y2"]) this.even.setAttribute(end, down(balance(rate, decay)));
      const turned = step ? even[step - 1] : 0;
      this.now.setAttribute("cx", across(step));
      this.now.setAttribute("cy", down(turned));
      this.say(step, Math.hypot(x, y), turned, settles ? balance(rate, decay) : null);
    }

    drawArrow(x, y) {
      const length = Math.hypot(x, y) || 1, [a, b] = [x / length, y / length];
      const corner = (side) => `${x - 0.14 * a - side * 0.07 * b},${-(y - 0.14 * b + side * 0.07 * a)}`;
      this.arrow.setAttribute("d", `M0,0 L${x},${-y} M${corner(1)} L${x},${-y} L${corner(-1)}`);
    }

    say(step, length, turned, settled) {
      const goal = settled === null ? "" : ` Growth and decay balance at ${round(settled)}° (dotted).`;
      this.parts.said.textContent = step
        ? `After step ${step} the filter is ${round(length)} long; the last steps turned it by ${round(turned)}° each.${goal}`
        : `Before the first step the filter is ${round(length)} long.${goal}`;
    }
  }

  const figure = document.getElementById("fig-norm-circle");
  if (figure) figure.circle = new Circle(figure);
  window.normCircle = { noise, walk, smoothed, balance };
})();
