// The reader plans a fine-tuning: images, network and card in; what BiT-HyperRule decides, memory, time and the command
// out, while the path through the rule lights up in the figure above. The functions of RULE are those of
// bitdoc.training.hyperrule (as the official code has it), those of COST those of bitdoc.network.cost, name for name; a
// test compares them. What a network costs is in hyperrule-costs.js, written when the site is built (planner.py).
(() => {
  "use strict";

  const KNOWN = window.bitHyperRuleCosts;
  const [SMALL, MEDIUM] = KNOWN.limits;
  const BASE_LR = 0.003;
  const SCHEDULES = {
    small: [100, 200, 300, 400, 500],
    medium: [500, 3000, 6000, 9000, 10000],
    large: [500, 6000, 12000, 18000, 20000],
  };
  // The data sets that have names in bitdoc.train: label, classes, images of each class, images in all, height and width.
  const DATASETS = {
    folder: ["my own folders"],
    cifar10: ["CIFAR-10", 10, 5000, 50000, 32],
    cifar100: ["CIFAR-100", 100, 500, 50000, 32],
    "tiny-imagenet": ["Tiny ImageNet", 200, 500, 100000, 64],
    imagenet2012: ["ILSVRC-2012", 1000, 1281, 1281167, 224],
  };
  // Data set, classes, images of each, height, width.
  const PRESETS = [
    ["50 cats, 50 dogs", "folder", 2, 50, 480, 640],
    ["CIFAR-10, 10 per class", "cifar10", 10, 10, 32, 32],
    ["CIFAR-10, all", "cifar10", 10, 5000, 32, 32],
    ["ILSVRC-2012, all", "imagenet2012", 1000, 1281, 224, 224],
  ];
  // Memory in GB, and the rate of the data sheet in 10^12 operations a second: half precision, dense matrices.
  const CARDS = {
    T4: [16, 65],
    V100: [32, 125],
    "RTX 4090": [24, 165],
    A100: [40, 312],
    H100: [80, 989],
    "another card": null,
    "no card": [16, KNOWN.cpuRate / 1e12],
  };

  const RULE = {
    taskSize: (examples) => (examples < SMALL ? "small" : examples < MEDIUM ? "medium" : "large"),
    resolution: (height, width) => (height * width < 96 * 96 ? { resize: 160, crop: 128 } : { resize: 512, crop: 480 }),
    mixup: (examples) => (RULE.taskSize(examples) === "small" ? 0 : 0.1),
    schedule: (examples) => SCHEDULES[RULE.taskSize(examples)],

    learningRate(step, schedule) {
      const [warmup, ...drops] = schedule;
      const last = drops.pop();
      if (step >= last) return null;
      if (step < warmup) return (BASE_LR * step) / warmup;
      return BASE_LR / 10 ** drops.filter((drop) => drop < step).length;
    },
  };

  const COST = {
    // Bytes that a step holds at its peak.
    memory(model, crop, batch, split, precision) {
      const { weights, activations } = KNOWN.models[model];
      const filters = 2 * weights + (precision === "float32" ? 0 : Math.floor(weights / 2));
      const images = batch * 3 * crop * crop * 5;
      return 2 * weights + filters + images + Math.max(Math.ceil(batch / split) * activations[crop][precision], weights);
    },

    splitThatFits(model, crop, batch, room, precision) {
      for (let split = 1; split <= batch; split *= 2) {
        if (COST.memory(model, crop, batch, split, precision) <= 0.9 * room) return split;
      }
      return null;
    },

    seconds: (model, crop, trained, rate) => (KNOWN.models[model].operations[crop] * 3 * trained) / (KNOWN.share * rate),
  };

  /** All that follows from what the reader has: the rule's answers, the split, memory, time, command and path. */
  function plan({ dataset, classes, each, height, width, model, memory, rate, precision }) {
    const [, , every, all] = DATASETS[dataset];
    const examples = each === every ? all : classes * each;
    const size = RULE.taskSize(examples);
    const { resize, crop } = RULE.resolution(height, width);
    const schedule = RULE.schedule(examples);
    const steps = schedule[schedule.length - 1];
    const room = memory * 2 ** 30;
    const split = COST.splitThatFits(model, crop, KNOWN.batch, room, precision);
    const held = COST.memory(model, crop, KNOWN.batch, split ?? KNOWN.batch, precision);
    const seconds = COST.seconds(model, crop, steps * KNOWN.batch, rate);
    const few = every && each < every;
    const command = [
      `python -m bitdoc.train --name ${dataset === "folder" ? "mine" : dataset}${few ? `-${each}` : ""}`,
      `--model ${model} --logdir ./bit_logs --dataset ${dataset}`,
      `--datadir ${dataset === "folder" ? "my_images" : "./data"}`,
      few ? `--examples_per_class ${each}` : "",
      split > 1 ? `--batch_split ${split}` : "",
    ];
    // The same by the command for own pictures, which says first what it will do and finds its batch split by itself.
    const also = dataset === "folder" ? `bitdoc train my_images --recipe rule --model ${model}` : "";
    const side = crop === 128 ? "below" : "above";
    const path = ["size", `to-${side}`, side, `from-${side}`, "examples", `to-${size}`, size, `from-${size}`, "always"];
    return {
      examples, size, resize, crop, schedule, steps, alpha: RULE.mixup(examples), split, held, seconds, path,
      commands: split ? [command.filter(Boolean).join(" "), also].filter(Boolean) : [],
    };
  }

  const SVG = "http://www.w3.org/2000/svg";
  const PLOT = { left: 52, right: 310, top: 14, bottom: 130, high: Math.log10(0.006), low: Math.log10(0.000002) };

  const number = (value, digits = 0) => value.toLocaleString("en-US", { maximumFractionDigits: digits });

  function gigabytes(bytes) {
    return bytes >= 2 ** 30 / 20 ? `${(bytes / 2 ** 30).toFixed(1)} GB` : `${(bytes / 2 ** 20).toFixed(0)} MB`;
  }

  function duration(seconds) {
    if (seconds < 90) return `${seconds.toFixed(0)} s`;
    if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
    return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${number(seconds / 86400)} days`;
  }

  function make(parent, tag, attributes = {}, text = "") {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  // Lines end between words only: names and options have hyphens, at which a browser would break them.
  function wholeWords(parent, text) {
    for (const [n, word] of text.split(" ").entries()) {
      if (n) parent.append(" ");
      make(parent, "span", { class: "hyperrule-word" }, word);
    }
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

  /** The figure of the rule above: lays the lit path over whichever of its pictures is shown. */
  class Path {
    constructor() {
      this.figure = document.getElementById("fig-rule-path")?.closest("figure");
      this.lit = [];
      if (!this.figure) return;
      this.figure.classList.add("hyperrule-figure");
      this.over = draw(this.figure, "svg", { class: "hyperrule-lit", "aria-hidden": "true" });
      for (const image of this.figure.querySelectorAll("img")) image.addEventListener("load", () => this.place());
      new ResizeObserver(() => this.place()).observe(this.figure);
      new MutationObserver(() => this.place()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }

    show(names) {
      this.lit = names;
      this.place();
    }

    place() {
      const image = this.figure && [...this.figure.querySelectorAll("img")].find((each) => each.checkVisibility());
      const name = image && decodeURIComponent((image.currentSrc || image.src).split("/").pop());
      const drawn = name && KNOWN.drawn[name.replace(/-(light|dark)/, "").replace(/\d*\.svg$/, ".svg")];
      this.over?.replaceChildren();
      if (!drawn) return;
      this.over.setAttribute("viewBox", drawn.frame);
      for (const [side, value] of [["left", image.offsetLeft], ["top", image.offsetTop]]) this.over.style[side] = `${value}px`;
      for (const [side, value] of [["width", image.offsetWidth], ["height", image.offsetHeight]]) this.over.style[side] = `${value}px`;
      for (const part of this.lit) for (const d of drawn.parts[part] ?? []) draw(this.over, "path", { d, "data-part": part });
    }
  }

  class Planner {
    constructor(root) {
      this.root = root;
      this.path = new Path();
      root.classList.add("hyperrule");
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", "Plan a fine-tuning");
      this.inputs();
      // One sentence is said when the reader pauses; the table would be read out whole at every key.
      this.told = make(root, "p", { class: "hyperrule-told", role: "status" });
      this.answers = make(root, "dl");
      this.plot = document.createElementNS(SVG, "svg");
      this.plot.setAttribute("viewBox", "0 0 320 165");
      this.plot.setAttribute("role", "img");
      root.append(this.plot);
      this.commands = make(root, "div", { class: "hyperrule-commands" });
      make(root, "p", { class: "hyperrule-note" },
        "Resolution, steps and MixUp are the rule. Memory is worked out from the network's activations, with a tenth of the " +
        `card left free. Time is an estimate: training at ${KNOWN.share * 100}% of the card's rate, without tests.`);
      this.fill(PRESETS[0]);
    }

    inputs() {
      const presets = make(this.root, "p", { class: "hyperrule-presets" });
      for (const preset of PRESETS) {
        make(presets, "button", { type: "button" }, preset[0]).addEventListener("click", () => this.fill(preset));
      }
      const images = this.fields("Your labeled images");
      this.dataset = this.choice(images, "Images", Object.entries(DATASETS).map(([name, [label]]) => [name, label]));
      this.classes = this.field(images, "Classes", "100000");
      this.each = this.field(images, "Images of each class", "100000");
      this.height = this.field(images, "Image height, pixels", "10000");
      this.width = this.field(images, "Image width, pixels", "10000");
      const machine = this.fields("Your network and card");
      this.model = this.choice(machine, "Network", Object.keys(KNOWN.models).map((name) => [name, name]));
      this.card = this.choice(machine, "Card", Object.keys(CARDS).map((name) => [name, name]));
      this.memory = this.field(machine, "Its memory, GB", "10000", "any");
      this.rate = this.field(machine, "Its rate, TFLOP/s", "100000", "any");
      this.model.value = "BiT-M-R50x1";
      this.dataset.addEventListener("input", () => this.chooseDataset());
      for (const input of [this.classes, this.height, this.width]) {
        input.addEventListener("input", () => { this.dataset.value = "folder"; });
      }
      this.card.addEventListener("input", () => this.chooseCard());
      for (const input of [this.memory, this.rate]) {
        input.addEventListener("input", () => { if (this.card.value !== "no card") this.card.value = "another card"; });
      }
      this.root.addEventListener("input", () => this.show());
      this.chooseCard();
    }

    fields(label) {
      const set = make(this.root, "fieldset", { class: "hyperrule-fields" });
      make(set, "legend", {}, label);
      return set;
    }

    field(parent, label, max, step = "1") {
      return make(make(parent, "label", {}, label), "input", { type: "number", min: step === "1" ? "1" : "0", max, step });
    }

    choice(parent, label, options) {
      const select = make(make(parent, "label", {}, label), "select", { "aria-label": label });
      for (const [value, text] of options) make(select, "option", { value }, text);
      return select;
    }

    chooseDataset() {
      const [, classes, each, , side] = DATASETS[this.dataset.value];
      if (!classes) return;
      [this.classes.value, this.each.value, this.height.value, this.width.value] = [classes, each, side, side];
    }

    chooseCard() {
      const card = CARDS[this.card.value];
      if (card) [this.memory.value, this.rate.value] = [card[0], Number(card[1].toPrecision(3))];
    }

    fill([, dataset, classes, each, height, width]) {
      this.dataset.value = dataset;
      [this.classes.value, this.each.value, this.height.value, this.width.value] = [classes, each, height, width];
      this.show();
    }

    // A line for each command, and a button that copies it.
    showCommands(commands) {
      this.commands.replaceChildren();
      for (const text of commands) {
        const box = make(this.commands, "div", { class: "hyperrule-command" });
        const code = make(make(box, "pre", { tabindex: "0", "aria-label": "Command" }), "code");
        wholeWords(code, text);
        const copy = make(box, "button", { type: "button", "aria-label": `Copy ${text.split(" --")[0]}` }, "Copy");
        copy.addEventListener("click", () => this.copy(code));
      }
    }

    async copy(code) {
      try {
        await navigator.clipboard.writeText(code.textContent);
        this.say("Copied.");
      } catch {
        window.getSelection().selectAllChildren(code);
        this.say("Selected: press Ctrl+C, or ⌘C.");
      }
    }

    say(text) {
      clearTimeout(this.timer);
      this.told.replaceChildren();
      wholeWords(this.told, text);
    }

    // What stands in the fields, or a sentence on what is wrong with it.
    read() {
      const value = (input) => Number(input.value);
      const whole = { classes: value(this.classes), each: value(this.each), height: value(this.height), width: value(this.width) };
      if (!Object.values(whole).every((each) => Number.isInteger(each) && each >= 1)) {
        return "classes, images, height and width must be whole numbers of at least 1";
      }
      const [label, , most] = DATASETS[this.dataset.value];
      if (most && whole.each > most) return `a class of ${label} has ${number(most)} training images`;
      const [memory, rate] = [value(this.memory), value(this.rate) * 1e12];
      if (!(memory > 0 && rate > 0)) return "the card's memory and rate must be numbers above 0";
      const precision = this.card.value === "no card" ? "float32" : "bfloat16";
      return { ...whole, dataset: this.dataset.value, model: this.model.value, memory, rate, precision };
    }

    show() {
      const given = this.read();
      const wrong = typeof given === "string";
      this.answers.replaceChildren();
      this.plot.replaceChildren();
      const found = wrong ? null : plan(given);
      this.path.show(wrong ? [] : found.path);
      this.showCommands(found?.commands ?? []);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.say(wrong ? `Missing: ${given}.` : this.sentence(found, given)), 300);
      if (wrong) {
        this.answer("Missing", given);
        this.plot.setAttribute("aria-label", "No schedule: a number is missing");
        return;
      }
      this.answerAll(found);
      this.stairs(found.schedule, found.steps);
    }

    sentence({ examples, size, crop, steps, alpha, split, held, seconds }, { model }) {
      const task = `${number(examples)} labeled images are a ${size} task: ${number(steps)} steps at ${crop} pixels, ${alpha ? "with" : "without"} MixUp.`;
      if (!split) return `${task} ${model} does not fit: even one image at a time takes ${gigabytes(held)}. Choose a smaller network or a larger card.`;
      return `${task} ${model} needs ${gigabytes(held)} in ${split === 1 ? "one piece" : `${split} parts a step`}, and about ${duration(seconds)}.`;
    }

    answerAll({ examples, size, resize, crop, schedule, steps, alpha, split, held, seconds }) {
      const [warmup, ...drops] = schedule.slice(0, -1);
      this.answer("Task", `${size}, ${number(examples)} images`);
      this.answer("Resolution", `resize to ${resize}, crop ${crop}`);
      this.answer("Steps", `${number(steps)} of ${KNOWN.batch} images`);
      this.answer("MixUp", alpha ? `α = ${alpha}` : "none");
      this.answer("Warm-up", `${warmup} steps`);
      this.answer("Tenfold drops", `steps ${drops.map((drop) => number(drop)).join(", ")}`);
      this.answer("Each image is seen", `${number((steps * KNOWN.batch) / examples, examples > 5120 ? 1 : 0)} times`);
      this.answer("Batch split", split ? `${split}` : "none fits");
      this.answer("Memory", gigabytes(held));
      this.answer("Time, estimated", split ? `about ${duration(seconds)}` : "–");
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

  window.bitHyperRule = { RULE, COST, plan, duration, gigabytes };
  const start = () => document.querySelectorAll("[data-hyperrule]").forEach((root) => new Planner(root));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
