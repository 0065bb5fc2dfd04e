// The few-shot learner in the page: choose pictures, train a head on them (ten-pictures-head.js), see what it names.
// Pictures and features come from bitdoc/studies/fewshot/ten_pictures.py, in the scripts ten-pictures-data.js and, when the
// button is pressed first, ten-pictures-features.js.
(() => {
  "use strict";

  const BASE = document.currentScript.src.replace(/[^/]*$/, "");
  const SHOTS = [1, 2, 5, 10], ON_TABLE = 10, SMALL = 32, COLUMNS = 20;
  const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#";
  const KINDS = { miniature: "pre-trained features", random: "random features", pixels: "raw pixels" };

  const loaded = new Map();
  function loadScript(name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = BASE + name;
        script.onload = done;
        script.onerror = () => {
          loaded.delete(name);
          failed(new Error(`${name} could not be loaded; reload the page`));
        };
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  // A small generator with a seed (mulberry32): the page deals the same pictures each time it is opened.
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(list, random) {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  const { median, plural } = window.tenPictures;
  const later = (ms = 0) => new Promise((done) => { setTimeout(done, ms); });

  const HTML = `
    <div class="tp-controls">
      <fieldset><legend>Pictures of each class</legend>${SHOTS
        .map((k) => `<label><input type="radio" name="tp-shots" value="${k}"> ${k}</label>`).join("")}</fieldset>
      <button type="button" class="tp-main" data-part="learn"></button>
      <button type="button" data-part="deal">Deal again</button>
      <button type="button" data-part="many">Deal 20 times</button>
    </div>
    <fieldset class="tp-bars"><legend>Named rightly, of 200 test pictures</legend>${Object.entries(KINDS)
      .map(([kind, name]) => `<label class="tp-${kind}"><input type="radio" name="tp-kind" value="${kind}"> ${name}
        <b data-part="${kind}">–</b><span class="tp-track"><i data-part="${kind}-bar"></i></span></label>`).join("")}</fieldset>
    <p class="tp-said" data-part="said" role="status">Click pictures to choose what is learned from, then press the button.</p>
    <div class="tp-heads" aria-hidden="true"><span>Framed ones are learned from</span>
      <span>Test pictures, hardest first: faded is wrong</span></div>
    <div role="grid" aria-multiselectable="true" data-part="grid"
      aria-label="Ten classes: ten pictures to learn from, twenty test pictures. Arrow keys move, Enter chooses."></div>
    <div class="tp-below">
      <div>
        <div class="tp-seen" data-part="seen"><p>Click a test picture to see which labeled ones it is most like.</p></div>
      </div>
      <div data-part="chart"></div>
    </div>
    <details data-part="own"><summary>Your own pictures</summary></details>`;

  class Learner {
    constructor(place, data, sheet) {
      this.data = data;
      this.place = place;
      this.classes = data.classes;
      this.labels = [data.pool, data.judged].flatMap((n) => this.classes.flatMap((_, c) => Array(n).fill(c)));
      this.tests = this.labels.map((_, i) => i).slice(data.pool * this.classes.length);
      this.rows = this.labels.length;
      this.values = { pixels: this.pixelsOf(sheet) };
      this.deals = [];
      this.kind = "miniature";
      this.seed = 0;
      this.root = document.createElement("div");
      this.root.className = "tp";
      this.root.setAttribute("role", "group");
      this.root.setAttribute("aria-label", "Few-shot learner");
      this.root.innerHTML = HTML;
      this.root.style.setProperty("--tp-sheet", `url(${sheet.src})`);
      this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
      this.buildGrid();
      this.listen();
      this.deal(1);
      this.chart = new window.tenPictures.Chart(this.parts.chart, data.curves);
      place.prepend(this.root);
      place.classList.add("ten-pictures-live");
      window.tenPictures.mountOwn?.(this.parts.own, loadScript);
    }

    // A letter says which of 64 steps the square root of a feature has.
    async load() {
      await loadScript("ten-pictures-features.js");
      for (const [network, text] of Object.entries(window.tenPicturesFeatures)) {
        this.values[network] ??= Uint16Array.from(text, (letter) => LETTERS.indexOf(letter) ** 2);
      }
    }

    // One row of 3072 numbers for each picture.
    pixelsOf(sheet) {
      const canvas = document.createElement("canvas");
      canvas.width = sheet.naturalWidth;
      canvas.height = sheet.naturalHeight;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(sheet, 0, 0);
      const out = new Uint8Array(this.rows * 3 * SMALL * SMALL);
      for (let i = 0, at = 0; i < this.rows; i += 1) {
        const { data } = context.getImageData((i % COLUMNS) * SMALL, Math.floor(i / COLUMNS) * SMALL, SMALL, SMALL);
        for (let p = 0; p < data.length; p += 1) if (p % 4 < 3) out[at++] = data[p];
      }
      return out;
    }

    show(element, picture) {
      const last = Math.ceil(this.rows / COLUMNS) - 1;
      element.style.backgroundPosition =
        `${((picture % COLUMNS) / (COLUMNS - 1)) * 100}% ${(Math.floor(picture / COLUMNS) / last) * 100}%`;
      element.dataset.picture = picture;
    }

    buildGrid() {
      this.cells = this.classes.map((name, c) => {
        const row = document.createElement("div");
        row.setAttribute("role", "row");
        row.innerHTML = `<span role="rowheader">${name}</span>`;
        const cells = Array.from({ length: ON_TABLE + this.data.judged }, (_, q) => {
          const cell = document.createElement("span");
          cell.setAttribute("role", "gridcell");
          cell.className = q < ON_TABLE ? "tp-few" : "tp-test";
          cell.dataset.place = `${c} ${q}`;
          cell.tabIndex = c + q ? -1 : 0;
          if (q >= ON_TABLE) this.show(cell, this.tests[c * this.data.judged + q - ON_TABLE]);
          return cell;
        });
        row.append(...cells);
        this.parts.grid.append(row);
        return cells;
      });
      this.testCells = this.cells.flatMap((row) => row.slice(ON_TABLE));
      this.testCells.forEach((cell) => this.nameTest(cell, null));
    }

    listen() {
      const { grid, learn, deal, many } = this.parts;
      const cellOf = (event) => event.target.closest?.("[role=gridcell]");
      grid.addEventListener("click", (e) => cellOf(e) && this.press(cellOf(e)));
      grid.addEventListener("keydown", (e) => cellOf(e) && this.key(e, cellOf(e)));
      for (const radio of this.root.querySelectorAll("[name=tp-shots]")) {
        radio.checked = radio.value === "1";
        radio.addEventListener("change", () => this.choose(Number(radio.value)));
      }
      for (const radio of this.root.querySelectorAll("[name=tp-kind]")) {
        radio.checked = radio.value === this.kind;
        radio.addEventListener("change", () => {
          this.kind = radio.value;
          this.before = null;
          this.showVerdicts();
          this.look();
        });
      }
      const tell = (error) => { this.parts.said.textContent = error.message; };
      learn.addEventListener("click", () => this.learn().catch(tell));
      deal.addEventListener("click", () => {
        this.deal(this.shots);
        this.learn().catch(tell);
      });
      many.addEventListener("click", () => this.dealMany(20).catch(tell).finally(() => { many.disabled = false; }));
    }

    key(event, cell) {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (event.key === "Enter" || event.key === " ") this.press(cell);
      else if (!step) return;
      event.preventDefault();
      if (!step) return;
      const [c, q] = cell.dataset.place.split(" ").map(Number);
      const row = this.cells[Math.min(this.cells.length - 1, Math.max(0, c + step[0]))];
      this.focusOn(row[Math.min(row.length - 1, Math.max(0, q + step[1]))]);
    }

    focusOn(cell) {
      for (const other of this.cells.flat()) other.tabIndex = other === cell ? 0 : -1;
      cell.focus();
    }

    press(cell) {
      this.focusOn(cell);
      const picture = Number(cell.dataset.picture);
      if (cell.classList.contains("tp-test")) {
        this.picked = picture;
        this.look();
        return;
      }
      if (this.chosen.has(picture)) this.chosen.delete(picture);
      else this.chosen.add(picture);
      this.showTable();
      if (this.heads) this.learn();
    }

    // Ten pictures of each class on the table; the first `shots` of them are chosen.
    deal(shots) {
      this.seed += 1;
      const random = generator(this.seed), { pool } = this.data;
      this.table = this.classes.map((_, c) =>
        shuffled(Array.from({ length: pool }, (__, i) => c * pool + i), random).slice(0, ON_TABLE));
      this.choose(shots);
    }

    choose(shots) {
      this.shots = shots;
      this.chosen = new Set(this.table.flatMap((row) => row.slice(0, shots)));
      this.showTable();
    }

    showTable() {
      this.table.forEach((row, c) => row.forEach((picture, q) => {
        const cell = this.cells[c][q];
        this.show(cell, picture);
        cell.setAttribute("aria-selected", String(this.chosen.has(picture)));
        cell.setAttribute("aria-label", `${this.classes[c]}, picture ${q + 1} to learn from`);
      }));
      this.parts.learn.textContent = `Learn from ${plural(this.chosen.size, "picture")}`;
      this.parts.learn.disabled = this.chosen.size === 0;
    }

    // A head on one kind of numbers; its first rows are the chosen pictures, the rest the test pictures.
    headOn(kind, few) {
      const values = this.values[kind], width = values.length / this.rows, order = [...few, ...this.tests];
      const own = new values.constructor(order.length * width);
      order.forEach((r, i) => own.set(values.subarray(r * width, (r + 1) * width), i * width));
      const labels = few.map((r) => this.labels[r]);
      return new window.tenPictures.Head(own, width, few.map((_, i) => i), labels, this.classes.length, this.data.penalty);
    }

    named(head) {
      return this.tests.map((_, i) => head.name(head.few.length + i));
    }

    rightly(names) {
      return names.filter((c, i) => c === this.labels[this.tests[i]]).length;
    }

    // How many of each class are chosen, if it is the same number for all.
    balance(few) {
      const counts = this.classes.map((_, c) => few.filter((r) => this.labels[r] === c).length);
      return counts.every((n) => n === counts[0]) ? counts[0] : 0;
    }

    async learn() {
      const few = [...this.chosen].sort((a, b) => a - b);
      if (!few.length) return;
      const turn = Symbol("turn"), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.turn = turn;
      await this.load();
      const heads = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, this.headOn(kind, few)]));
      for (let steps = 1; !still && steps < 200; steps *= 2) {
        for (const [kind, head] of Object.entries(heads)) {
          while (head.steps < steps) head.step();
          this.showBar(kind, this.rightly(this.named(head)));
        }
        await later(70);
        if (this.turn !== turn) return; // the reader has gone on
      }
      for (const head of Object.values(heads)) head.finish();
      this.before = this.verdicts?.[this.kind];
      this.heads = heads;
      this.few = few;
      this.verdicts = Object.fromEntries(Object.entries(heads).map(([kind, head]) => [kind, this.named(head)]));
      this.note(few, this.verdicts);
      for (const [kind, names] of Object.entries(this.verdicts)) this.showBar(kind, this.rightly(names));
      this.showVerdicts();
      this.say();
      this.look();
      this.chart.show(this.deals);
    }

    // A dot for each deal with as many pictures of every class; the same pictures twice are one dot.
    note(few, verdicts) {
      const shots = this.balance(few), key = few.join(" ");
      if (!shots || this.deals.some((d) => d.key === key)) return;
      const share = (names) => (100 * this.rightly(names)) / this.tests.length;
      this.deals.push({ shots, key, ...Object.fromEntries(Object.entries(verdicts).map(([k, names]) => [k, share(names)])) });
    }

    async dealMany(count) {
      const { many } = this.parts, shots = this.shots;
      many.disabled = true;
      await this.load();
      for (let i = 0; i < count; i += 1) {
        this.deal(shots);
        const few = [...this.chosen].sort((a, b) => a - b);
        if (i === count - 1) await this.learn();
        else this.note(few, Object.fromEntries(Object.keys(KINDS).map((k) => [k, this.named(this.headOn(k, few).finish())])));
        this.chart.show(this.deals);
        await later();
      }
    }

    showBar(kind, right) {
      const share = (100 * right) / this.tests.length;
      this.parts[kind].textContent = `${right} (${Math.round(share)}%)`;
      this.parts[`${kind}-bar`].style.width = `${share}%`;
    }

    nameTest(cell, verdict) {
      const label = this.classes[this.labels[cell.dataset.picture]];
      const was = cell.classList.contains("tp-gained") ? ", new" : "";
      cell.setAttribute("aria-label",
        `test picture, ${label}${verdict === null ? "" : `: named ${this.classes[verdict]}${was}`}`);
    }

    showVerdicts() {
      if (!this.verdicts) return;
      const names = this.verdicts[this.kind];
      this.changed = { gained: 0, lost: 0 };
      this.testCells.forEach((cell, i) => {
        const label = this.labels[this.tests[i]], right = names[i] === label, was = this.before && this.before[i] === label;
        cell.classList.toggle("tp-wrong", !right);
        cell.classList.toggle("tp-gained", Boolean(this.before) && right && !was);
        cell.classList.toggle("tp-lost", Boolean(this.before) && !right && was);
        if (this.before) this.changed[right ? "gained" : "lost"] += right !== was;
        this.nameTest(cell, names[i]);
      });
    }

    say() {
      const of = (kind) => this.rightly(this.verdicts[kind]), shots = this.balance(this.few);
      const from = shots ? `${plural(shots, "picture")} of each class` : `${plural(this.few.length, "picture")}`;
      const missing = this.classes.filter((_, c) => !this.few.some((r) => this.labels[r] === c));
      const luck = this.deals.filter((d) => d.shots === shots).map((d) => d.miniature);
      this.parts.said.textContent =
        `From ${from}, the head on pre-trained features names ${of("miniature")} of 200 rightly, on random features ` +
        `${of("random")}, on raw pixels ${of("pixels")}.` +
        (this.before ? ` Since the last time ${this.changed.gained} became right, ${this.changed.lost} wrong.` : "") +
        (missing.length ? ` Without a picture it cannot name: ${missing.join(", ")}.` : "") +
        (luck.length > 1 ? ` ${luck.length} deals of ${shots}: ${Math.min(...luck)} to ${Math.max(...luck)}%, ` +
          `median ${median(luck)}%.` : "");
    }

    // What the heads say of one test picture, and which labeled pictures it is most like.
    look() {
      if (this.picked === undefined || !this.heads) return;
      const place = this.tests.indexOf(this.picked), row = this.few.length + place;
      const thumb = (picture, size) => {
        const element = document.createElement("span");
        element.className = `tp-thumb tp-${size}`;
        this.show(element, picture);
        return element;
      };
      const seen = [thumb(this.picked, "large")], text = document.createElement("p");
      const said = Object.entries(KINDS).map(([kind, name]) => `on ${name} ${this.classes[this.verdicts[kind][place]]}`);
      text.textContent = `A test picture of ${this.classes[this.labels[this.picked]]}. The head says ${said.join(", ")}.`;
      seen.push(text);
      for (const kind of ["miniature", "pixels"]) {
        const line = document.createElement("p"), near = this.heads[kind].neighbors(row).slice(0, 5);
        line.className = "tp-near";
        line.append(`Most like it in ${KINDS[kind]}:`);
        for (const { row: r, label } of near) {
          const one = document.createElement("span");
          one.append(thumb(this.few[r], "small"), this.classes[label]);
          one.classList.toggle("tp-same", label === this.labels[this.picked]);
          line.append(one);
        }
        seen.push(line);
      }
      this.parts.seen.replaceChildren(...seen);
      for (const cell of this.testCells) cell.classList.toggle("tp-at", Number(cell.dataset.picture) === this.picked);
    }
  }

  async function mount(place) {
    await loadScript("ten-pictures-data.js");
    const data = window.tenPicturesData, sheet = new Image();
    const bytes = Uint8Array.from(atob(data.sheet.split(",")[1]), (c) => c.charCodeAt(0));
    sheet.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    await sheet.decode();
    place.learner = new Learner(place, data, sheet);
  }

  const start = () => {
    for (const place of document.querySelectorAll(".ten-pictures")) {
      const watch = new IntersectionObserver((entries) => {
        if (!entries.some((e) => e.isIntersecting)) return;
        watch.disconnect();
        mount(place).catch((error) => console.error(error));
      }, { rootMargin: "600px" });
      watch.observe(place);
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
