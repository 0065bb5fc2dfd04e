// The reader tries BiT-HyperRule. The functions of RULE are those of bitdoc.training.hyperrule, name for name; a test compares
// them at the rule's boundaries.
(() => {
  "use strict";

  const SMALL = 20000;
  const MEDIUM = 500000;
  const BASE_LR = 0.003;
  const BATCH = 512;
  const LAST = { small: 500, medium: 10000, large: 20000 };
  const CODE = {
    small: [100, 200, 300, 400, 500],
    medium: [500, 3000, 6000, 9000, 10000],
    large: [500, 6000, 12000, 18000, 20000],
  };
  const PRESETS = [
    ["CIFAR-10, 10 per class", 100, 32, 32],
    ["VTAB-1k", 1000, 224, 224],
    ["CIFAR-10, all", 50000, 32, 32],
    ["ILSVRC-2012, all", 1281167, 224, 224],
  ];

  const RULE = {
    taskSize: (examples) => (examples < SMALL ? "small" : examples < MEDIUM ? "medium" : "large"),

    resolution(height, width, source, arch) {
      if (height * width < 96 * 96) return { resize: 160, crop: 128 };
      return source === "code" || arch === "R152x4" ? { resize: 512, crop: 480 } : { resize: 448, crop: 384 };
    },

    mixup: (examples) => (RULE.taskSize(examples) === "small" ? 0 : 0.1),

    schedule(examples, source) {
      const size = RULE.taskSize(examples);
      if (source === "code") return CODE[size];
      return [0, ...[3, 6, 9].map((tenths) => (LAST[size] * tenths) / 10), LAST[size]];
    },

    learningRate(step, schedule) {
      const [warmup, ...drops] = schedule;
      const last = drops.pop();
      if (step >= last) return null;
      if (step < warmup) return (BASE_LR * step) / warmup;
      return BASE_LR / 10 ** drops.filter((drop) => drop < step).length;
    },
  };

  const SVG = "http://www.w3.org/2000/svg";
  const PLOT = { left: 52, right: 310, top: 14, bottom: 130, high: Math.log10(0.006), low: Math.log10(0.000002) };

  const number = (value, digits = 0) => value.toLocaleString("en-US", { maximumFractionDigits: digits });

  function make(parent, tag, attributes = {}, text = "") {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  function draw(parent, tag, attributes, text = "") {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  const across = (step, last) => PLOT.left + (step / last) * (PLOT.right - PLOT.left);
  const up = (lr) =>
    PLOT.bottom - ((Math.log10(lr) - PLOT.low) / (PLOT.high - PLOT.low)) * (PLOT.bottom - PLOT.top);

  // One point for every step at which the staircase can change; the very first step has rate 0 and no logarithm.
  function staircase(schedule) {
    const last = schedule[schedule.length - 1];
    const steps = new Set([last - 1]);
    for (const edge of schedule.slice(0, -1)) [edge, edge + 1].forEach((step) => steps.add(step));
    for (let part = 1; part <= 40; part += 1) steps.add(Math.ceil((schedule[0] * part) / 40));
    return [...steps]
      .sort((a, b) => a - b)
      .map((step) => [step, RULE.learningRate(step, schedule)])
      .filter(([, lr]) => lr > 0)
      .map(([step, lr], index) => `${index ? "L" : "M"}${across(step, last).toFixed(1)} ${up(lr).toFixed(1)}`)
      .join("");
  }

  class Widget {
    constructor(root) {
      this.root = root;
      root.classList.add("hyperrule");
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", "Try BiT-HyperRule");
      this.inputs();
      this.answers = make(root, "dl", { "aria-live": "polite" });
      this.plot = document.createElementNS(SVG, "svg");
      this.plot.setAttribute("viewBox", "0 0 320 165");
      this.plot.setAttribute("role", "img");
      root.append(this.plot);
      this.show();
    }

    inputs() {
      const presets = make(this.root, "p", { class: "hyperrule-presets" });
      for (const [name, examples, height, width] of PRESETS) {
        const button = make(presets, "button", { type: "button" }, name);
        button.addEventListener("click", () => this.fill(examples, height, width));
      }
      const fields = make(this.root, "div", { class: "hyperrule-fields" });
      this.examples = this.field(fields, "Labeled examples in all", "1000", "10000000");
      this.slider = make(make(fields, "label", {}, "… or by hand"), "input", {
        type: "range", min: "0", max: "7", step: "0.01", value: "3", "aria-label": "Labeled examples, logarithmic",
      });
      this.height = this.field(fields, "Image height, pixels", "224", "10000");
      this.width = this.field(fields, "Image width, pixels", "224", "10000");
      this.source = this.choice(fields, "Rule as in", [["code", "the official code"], ["paper", "the paper's text"]]);
      this.arch = this.choice(fields, "Network", [["", "up to R101x3"], ["R152x4", "R152x4"]]);
      this.slider.addEventListener("input", () => {
        const examples = 10 ** Number(this.slider.value);
        const grain = 10 ** Math.max(0, Math.floor(Math.log10(examples)) - 1);
        this.examples.value = Math.round(examples / grain) * grain;
        this.show();
      });
      this.examples.addEventListener("input", () => {
        if (Number(this.examples.value) >= 1) this.slider.value = Math.log10(Number(this.examples.value));
        this.show();
      });
      for (const input of [this.height, this.width, this.source, this.arch]) {
        input.addEventListener("input", () => this.show());
      }
    }

    field(parent, label, value, max) {
      return make(make(parent, "label", {}, label), "input", { type: "number", min: "1", max, step: "1", value });
    }

    choice(parent, label, options) {
      const select = make(make(parent, "label", {}, label), "select");
      for (const [value, text] of options) make(select, "option", { value }, text);
      return select;
    }

    fill(examples, height, width) {
      this.examples.value = examples;
      this.slider.value = Math.log10(examples);
      this.height.value = height;
      this.width.value = width;
      this.show();
    }

    show() {
      const [examples, height, width] = [this.examples, this.height, this.width].map((input) => Number(input.value));
      this.answers.replaceChildren();
      this.plot.replaceChildren();
      if (![examples, height, width].every((value) => Number.isInteger(value) && value >= 1)) {
        this.answer("Missing", "examples, height and width must be whole numbers of at least 1");
        this.plot.setAttribute("aria-label", "No schedule: a number is missing");
        return;
      }
      const schedule = RULE.schedule(examples, this.source.value);
      const { resize, crop } = RULE.resolution(height, width, this.source.value, this.arch.value);
      const [warmup, ...drops] = schedule;
      const last = drops.pop();
      const alpha = RULE.mixup(examples);
      this.answer("Task", RULE.taskSize(examples));
      this.answer("Resolution", `resize to ${resize}, crop ${crop}`);
      this.answer("Steps", `${number(last)} of ${BATCH} images`);
      this.answer("MixUp", alpha ? `α = ${alpha}` : "none");
      this.answer("Warm-up", warmup ? `${warmup} steps` : "none");
      this.answer("Tenfold drops", `steps ${drops.map((drop) => number(drop)).join(", ")}`);
      this.answer("Each image is seen", `${number((last * BATCH) / examples, examples > 5120 ? 1 : 0)} times`);
      this.stairs(schedule, last);
    }

    answer(term, text) {
      const row = make(this.answers, "div");
      make(row, "dt", {}, term);
      make(row, "dd", {}, text);
    }

    stairs(schedule, last) {
      for (const lr of [0.003, 0.0003, 0.00003, 0.000003]) {
        draw(this.plot, "line", { x1: PLOT.left, x2: PLOT.right, y1: up(lr), y2: up(lr), class: "hyperrule-grid" });
        draw(this.plot, "text", { x: PLOT.left - 6, y: up(lr) + 4, "text-anchor": "end" }, lr.toExponential(0).replace("-", "−"));
      }
      for (const part of [0, 0.5, 1]) {
        const anchor = part === 1 ? "end" : part ? "middle" : "start";
        draw(this.plot, "text", { x: across(part, 1), y: PLOT.bottom + 15, "text-anchor": anchor }, number(part * last));
      }
      draw(this.plot, "text", { x: (PLOT.left + PLOT.right) / 2, y: PLOT.bottom + 31, "text-anchor": "middle" }, "step");
      draw(this.plot, "text", { x: PLOT.left, y: 10 }, "learning rate");
      draw(this.plot, "path", { d: staircase(schedule), class: "hyperrule-stairs" });
      const drops = schedule.slice(1, -1).map((drop) => number(drop)).join(", ");
      this.plot.setAttribute("aria-label", `Learning rate from 0.003, divided by ten after steps ${drops} of ${number(last)}`);
    }
  }

  window.bitHyperRule = RULE;
  const start = () => document.querySelectorAll("[data-hyperrule]").forEach((root) => new Widget(root));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
