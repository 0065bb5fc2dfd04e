// The explorer of the normalization page: which outputs move with the batch, which values share a mean, what WS does.
// movement() is that of bitdoc/figures/normalization/explorer.py.
// normalize() is bitdoc.network.norms.normalize over the set of bitdoc.network.norms' four norms; standardize() is its namesake there.
// The block is that of bitdoc/figures/normalization/explorer.py; a browser test holds both sides together.
(() => {
  "use strict";

  const N = 3, C = 8, H = 2, W = 2;
  const EPS = 1e-5, WS_EPS = 1e-10;
  const GROUPS = [1, 2, 4, 8];
  const numbers = (text) => text.trim().split(/\s+/).map(Number);
  const BLOCK = numbers(`
    9 7 8 4   3 2 5 6   1 0 2 1   6 9 9 8   4 4 1 3   7 5 9 7   2 6 3 1   5 3 6 2
    4 3 2 3   2 1 2 3   0 1 1 2   5 3 4 4   2 3 1 2   3 4 5 4   1 3 2 2   3 1 2 2
    14 6 9 19 1 11 8 0  9 2 0 13  17 8 5 14 9 0 13 6  6 16 18 8 7 0 11 2  3 12 0 9`);
  const OTHER = numbers("1 9 6 0   8 7 3 6   4 0 9 3   2 8 7 1   9 5 6 4   0 2 7 9   5 3 0 8   6 1 4 9");
  const FILTERS = [
    [3, -1, 2, 0, 1, 4, -2, 1],
    [0.2, 0.1, -0.3, 0.4, 0, -0.1, 0.3, -0.2],
    [5, 6, 5, 7, 6, 5, 8, 6],
  ];
  const KINDS = { batch: "Batch", layer: "Layer", instance: "Instance", group: "Group" };

  const imageOf = (i) => Math.floor(i / (C * H * W));
  const channelOf = (i) => Math.floor(i / (H * W)) % C;

  // Whether the values at i and j share a mean.
  function together(kind, groups, i, j) {
    const size = C / groups;
    const sameImage = imageOf(i) === imageOf(j);
    const sameChannel = channelOf(i) === channelOf(j);
    const sameGroup = Math.floor(channelOf(i) / size) === Math.floor(channelOf(j) / size);
    return { batch: sameChannel, layer: sameImage, instance: sameImage && sameChannel, group: sameImage && sameGroup }[kind];
  }

  function statistics(values) {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    return { mean, variance };
  }

  const setOf = (block, kind, groups, i) => block.map((_, j) => j).filter((j) => together(kind, groups, i, j));

  function normalize(block, kind, groups) {
    return block.map((x, i) => {
      const { mean, variance } = statistics(setOf(block, kind, groups, i).map((j) => block[j]));
      return (x - mean) / Math.sqrt(variance + EPS);
    });
  }

  function standardize(filter) {
    const { mean, variance } = statistics(filter);
    return filter.map((v) => (v - mean) / Math.sqrt(variance + WS_EPS));
  }

  // Normalized values of the images that are in the batch, NaN for the others. With `micro` each image is a batch of its
  // own; with `evaluation` batch norm uses running statistics, here those of the three images as they were.
  function normalizeBatch(block, kind, groups, { members, micro, evaluation }) {
    return block.map((x, i) => {
      if (!members.includes(imageOf(i))) return NaN;
      const inBatch = (j) => (micro ? imageOf(j) === imageOf(i) : members.includes(imageOf(j)));
      const running = evaluation && kind === "batch";
      const set = setOf(block, kind, groups, i).filter((j) => running || inBatch(j));
      const { mean, variance } = statistics(set.map((j) => (running ? BLOCK : block)[j]));
      return (x - mean) / Math.sqrt(variance + EPS);
    });
  }

  // How far the outputs of each image and channel are from those of the whole batch in training mode, on average.
  function movement(block, kind, groups, state) {
    const before = normalize(BLOCK, kind, groups), after = normalizeBatch(block, kind, groups, state);
    return Array.from({ length: N * C }, (_, k) => {
      const gaps = [0, 1, 2, 3].map((q) => Math.abs(after[k * H * W + q] - before[k * H * W + q]));
      return gaps.reduce((a, b) => a + b, 0) / gaps.length;
    });
  }

  const round = (x, digits = 2) => x.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
  const short = (x) => round(x, Number.isInteger(x) ? 0 : Math.abs(x) < 10 ? 1 : 0);

  const HTML = `
    <div role="tablist" aria-label="What to look at">
      <button type="button" role="tab" id="nx-tab-m" aria-controls="nx-m" aria-selected="true">What moves</button>
      <button type="button" role="tab" id="nx-tab-a" aria-controls="nx-a" aria-selected="false" tabindex="-1">Sets</button>
      <button type="button" role="tab" id="nx-tab-w" aria-controls="nx-w" aria-selected="false" tabindex="-1">Filters (WS)</button>
    </div>
    <div role="tabpanel" id="nx-m" aria-labelledby="nx-tab-m">
      <fieldset class="nx-boxes"><legend>Batch</legend>
        <div class="nx-box" data-part="batch">${[1, 2, 3]
          .map((n) => `<label class="nx-image"><input type="checkbox" checked data-part="member-${n}"> image ${n}</label>`)
          .join("")}</div>
        <div class="nx-box nx-aside" data-part="aside"><span data-part="hint">drag an image here</span></div></fieldset>
      <fieldset><legend>Mode</legend>
        <label><input type="checkbox" data-part="evaluation"> evaluation</label>
        <label><input type="checkbox" data-part="micro"> micro-batches of one image</label></fieldset>
      <label class="nx-slider">Exchange image 2 for another <output data-part="swap-text"></output>
        <input type="range" min="0" max="100" step="5" value="100" data-part="swap"></label>
      <div class="nx-maps">${Object.entries(KINDS)
        .map(([k, name]) => `<div class="nx-map" data-kind="${k}"><p>${name} norm${k === "group" ? ", 4 groups" : ""}</p>
          <div role="img" data-part="map-${k}"></div></div>`)
        .join("")}</div>
      <p data-part="map-said" aria-live="polite"></p>
    </div>
    <div role="tabpanel" id="nx-a" aria-labelledby="nx-tab-a" hidden><div class="nx-beside"><div>
      <fieldset><legend>Norm</legend>${Object.entries(KINDS)
        .map(([k, name]) => `<label><input type="radio" name="nx-kind" value="${k}"> ${name}</label>`)
        .join("")}</fieldset>
      <label class="nx-slider">Groups <output data-part="groups-text"></output>
        <input type="range" min="0" max="3" step="1" value="2" data-part="groups"></label>
      <label class="nx-slider">Exchange image 2 for another <output data-part="change-text"></output>
        <input type="range" min="0" max="100" step="5" value="0" data-part="change"></label>
      <label><input type="checkbox" data-part="outputs"> show normalized values</label>
      <p data-part="set" aria-live="polite"></p>
      <p data-part="moved" aria-live="polite"></p></div>
      <div class="nx-board">
        <div class="nx-heads" aria-hidden="true"><span>image 1</span><span>image 2</span><span>image 3</span></div>
        <div role="grid" aria-label="Block of 3 images, 8 channels, maps of 2 by 2; arrow keys move" data-part="grid"></div>
      </div></div>
    </div>
    <div role="tabpanel" id="nx-w" aria-labelledby="nx-tab-w" hidden>
      <label class="nx-slider">Multiply filter 1 by <output data-part="scale-text"></output>
        <input type="range" min="-1" max="1" step="0.05" value="0" data-part="scale"></label>
      <label class="nx-slider">Add to filter 1 <output data-part="shift-text"></output>
        <input type="range" min="-5" max="5" step="0.5" value="0" data-part="shift"></label>
      <div data-part="filters"></div>
      <p data-part="filters-said" aria-live="polite"></p>
    </div>`;

  class Explorer {
    constructor(figure) {
      this.root = document.createElement("div");
      this.root.className = "norm-explorer";
      this.root.innerHTML = HTML;
      this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
      this.kind = "batch";
      this.chosen = 3 * H * W; // image 1, channel 4
      this.pointed = null;
      this.buildGrid();
      this.listen();
      figure.prepend(this.root);
      figure.classList.add("norm-explorer-live");
      this.show();
      this.showMovement();
      this.showFilters();
    }

    get groups() {
      return { layer: 1, instance: C }[this.kind] ?? GROUPS[Number(this.parts.groups.value)];
    }

    get block() {
      return this.exchanged(Number(this.parts.change.value) / 100);
    }

    exchanged(share) {
      return BLOCK.map((x, i) => (imageOf(i) === 1 ? (1 - share) * x + share * OTHER[i - C * H * W] : x));
    }

    // Rows of the grid are (channel, row of the map), its columns (image, column of the map).
    buildGrid() {
      this.cells = [];
      for (let r = 0; r < C * H; r += 1) {
        const row = document.createElement("div");
        row.setAttribute("role", "row");
        if (r % H === 0) row.dataset.channel = `c = ${r / H + 1}`;
        for (let q = 0; q < N * W; q += 1) {
          const image = Math.floor(q / W), channel = Math.floor(r / H);
          const index = ((image * C + channel) * H + (r % H)) * W + (q % W);
          const cell = document.createElement("span");
          cell.setAttribute("role", "gridcell");
          cell.dataset.index = index;
          cell.dataset.place = `${r} ${q}`;
          cell.tabIndex = -1;
          row.append(cell);
          this.cells[index] = cell;
        }
        this.parts.grid.append(row);
      }
    }

    listen() {
      for (const radio of this.root.querySelectorAll("[name=nx-kind]")) {
        radio.checked = radio.value === this.kind;
        radio.addEventListener("change", () => { this.kind = radio.value; this.show(); });
      }
      for (const part of ["groups", "change", "outputs"]) this.parts[part].addEventListener("input", () => this.show());
      for (const part of ["swap", "evaluation", "micro"]) this.parts[part].addEventListener("input", () => this.showMovement());
      for (const n of [1, 2, 3]) this.listenToImage(this.parts[`member-${n}`]);
      for (const part of ["scale", "shift"]) this.parts[part].addEventListener("input", () => this.showFilters());
      const indexOf = (event) => event.target.dataset?.index;
      this.parts.grid.addEventListener("pointerover", (e) => indexOf(e) && this.point(Number(indexOf(e))));
      this.parts.grid.addEventListener("pointerleave", () => this.point(null));
      this.parts.grid.addEventListener("click", (e) => indexOf(e) && this.choose(Number(indexOf(e))));
      this.parts.grid.addEventListener("focusin", (e) => indexOf(e) && this.choose(Number(indexOf(e)), false));
      this.parts.grid.addEventListener("keydown", (e) => this.walk(e));
      const tabs = [...this.root.querySelectorAll("[role=tab]")];
      for (const tab of tabs) {
        tab.addEventListener("click", () => this.open(tab));
        tab.addEventListener("keydown", (e) => {
          const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
          if (step) this.open(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], true);
        });
      }
    }

    // An image leaves the batch and comes back by its box to tick, or by being dragged, with a mouse or a finger.
    listenToImage(box) {
      const label = box.parentElement;
      let from = null, dragged = false;
      box.addEventListener("input", () => this.put(box, box.checked));
      label.addEventListener("pointerdown", (e) => {
        from = e.isPrimary ? [e.clientX, e.clientY] : null;
        dragged = false;
        label.setPointerCapture(e.pointerId); // a fast hand leaves the label at once
      });
      label.addEventListener("pointermove", (e) => {
        if (!from || !e.buttons) return;
        const way = [e.clientX - from[0], e.clientY - from[1]];
        if (!dragged && Math.hypot(...way) < 6) return; // a click may tremble
        dragged = true;
        label.style.translate = `${way[0]}px ${way[1]}px`;
      });
      label.addEventListener("pointerup", (e) => {
        if (!dragged) return;
        const { left, right, top, bottom } = this.parts.batch.getBoundingClientRect();
        this.put(box, e.clientX > left && e.clientX < right && e.clientY > top && e.clientY < bottom);
      });
      for (const end of ["pointerup", "pointercancel"]) {
        label.addEventListener(end, () => { from = null; label.style.translate = ""; });
      }
      // The click that ends a drag is none.
      label.addEventListener("click", (e) => { if (dragged && e.detail) e.preventDefault(); dragged = false; });
    }

    put(box, inside) {
      const focused = document.activeElement === box;
      box.checked = inside;
      if (!this.members.length) box.checked = true; // the last image stays
      for (const part of ["batch", "aside"]) {
        const there = [1, 2, 3].map((n) => this.parts[`member-${n}`]).filter((b) => b.checked === (part === "batch"));
        for (const b of there) this.parts[part].append(b.parentElement);
      }
      this.parts.hint.hidden = this.members.length < N;
      if (focused) box.focus(); // which moving it has taken away
      this.showMovement();
    }

    open(tab, focus = false) {
      for (const other of this.root.querySelectorAll("[role=tab]")) {
        other.setAttribute("aria-selected", String(other === tab));
        other.tabIndex = other === tab ? 0 : -1;
        this.root.querySelector(`#${other.getAttribute("aria-controls")}`).hidden = other !== tab;
      }
      if (focus) tab.focus();
    }

    get members() {
      return [0, 1, 2].filter((n) => this.parts[`member-${n + 1}`].checked);
    }

    showMovement() {
      const share = Number(this.parts.swap.value) / 100, block = this.exchanged(share);
      const state = { members: this.members, micro: this.parts.micro.checked, evaluation: this.parts.evaluation.checked };
      this.parts["swap-text"].textContent = `${this.parts.swap.value}%`;
      for (const kind of Object.keys(KINDS)) {
        const groups = { layer: 1, instance: C, group: 4 }[kind] ?? 1;
        this.drawMap(kind, movement(block, kind, groups, state));
      }
      const moved = (n) => state.members.includes(n) && movement(block, "batch", 1, state).slice(n * C, (n + 1) * C).some((m) => m > 1e-9);
      const others = [0, 2].filter(moved).map((n) => `image ${n + 1}`);
      this.parts["map-said"].textContent =
        "Compared with the whole batch in training: the darker, the more the outputs moved. Images 1 and 3 are untouched; " +
        (others.length ? `under batch norm ${others.join(" and ")} moved all the same.` : "no norm moves them.");
    }

    drawMap(kind, moved) {
      const told = [];
      this.parts[`map-${kind}`].innerHTML = [0, 1, 2]
        .map((n) => {
          const row = moved.slice(n * C, (n + 1) * C), out = row.some(Number.isNaN);
          const mean = row.reduce((a, b) => a + b, 0) / C;
          told.push(`image ${n + 1} ${out ? "is not in the batch" : `by ${round(mean)}`}`);
          const cells = row.map((m) => `<span style="--nx-share: ${out ? 0 : Math.min(100, (100 * m) / 1.6).toFixed(0)}%"></span>`);
          return `<div class="nx-line${out ? " nx-out" : ""}"><i>${n + 1}</i>${cells.join("")}<b>${out ? "out" : round(mean)}</b></div>`;
        })
        .join("");
      this.parts[`map-${kind}`].setAttribute("aria-label", `Outputs of ${KINDS[kind].toLowerCase()} norm moved: ${told.join(", ")}`);
    }

    walk(event) {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [r, q] = this.cells[this.chosen].dataset.place.split(" ").map(Number);
      const row = Math.min(C * H - 1, Math.max(0, r + step[0])), column = Math.min(N * W - 1, Math.max(0, q + step[1]));
      this.choose(Number(this.parts.grid.children[row].children[column].dataset.index));
    }

    point(index) {
      this.pointed = index;
      this.show();
    }

    choose(index, focus = true) {
      if (index === this.chosen && !focus) return;
      this.chosen = index;
      this.pointed = null;
      this.show();
      if (focus) this.cells[index].focus();
    }

    show() {
      const { block, kind, groups } = this;
      const outputs = normalize(block, kind, groups);
      const before = normalize(BLOCK, kind, groups);
      const moved = outputs.map((y, i) => Math.abs(y - before[i]) > 1e-9);
      const at = this.pointed ?? this.chosen;
      const set = new Set(setOf(block, kind, groups, at));
      const shown = this.parts.outputs.checked ? outputs : block;
      this.root.dataset.kind = kind;
      this.cells.forEach((cell, i) => {
        cell.textContent = this.parts.outputs.checked ? round(shown[i], 1) : short(shown[i]);
        cell.classList.toggle("nx-in", set.has(i));
        cell.classList.toggle("nx-moved", moved[i]);
        cell.classList.toggle("nx-at", i === at);
        cell.tabIndex = i === this.chosen ? 0 : -1;
        cell.setAttribute("aria-selected", String(set.has(i)));
        const place = `image ${imageOf(i) + 1}, channel ${channelOf(i) + 1}`;
        cell.setAttribute("aria-label", `${place}: ${cell.textContent}${moved[i] ? ", output moved" : ""}`);
      });
      this.parts.groups.disabled = kind !== "group";
      const name = groups === 1 ? ": layer norm" : groups === C ? ": instance norm" : "";
      this.parts["groups-text"].textContent = kind === "group" ? `${groups} of ${C / groups} channels${name}` : "(group norm only)";
      this.parts.groups.setAttribute("aria-valuetext", `${groups} groups`);
      this.parts["change-text"].textContent = `${this.parts.change.value}%`;
      this.say(block, outputs, moved, at, [...set]);
    }

    say(block, outputs, moved, at, set) {
      const { mean, variance } = statistics(set.map((j) => block[j]));
      const words = {
        batch: `channel ${channelOf(at) + 1} of all images`,
        layer: `all channels of image ${imageOf(at) + 1}`,
        instance: `channel ${channelOf(at) + 1} of image ${imageOf(at) + 1}`,
        group: `one group of image ${imageOf(at) + 1}`,
      }[this.kind];
      this.parts.set.textContent =
        `x = ${short(block[at])} shares a mean with ${set.length} values (${words}): mean ${round(mean)}, ` +
        `standard deviation ${round(Math.sqrt(variance))}; normalized ${round(outputs[at])}.`;
      const counts = Array(N).fill(0);
      moved.forEach((m, i) => { counts[imageOf(i)] += m; });
      this.parts.moved.textContent = this.parts.change.value === "0"
        ? "Exchange image 2 to see which outputs move."
        : `Outputs that moved (dotted): ${counts.map((n, k) => `image ${k + 1}: ${n} of ${C * H * W}`).join(", ")}.`;
    }

    showFilters() {
      const scale = 10 ** Number(this.parts.scale.value), shift = Number(this.parts.shift.value);
      this.parts["scale-text"].textContent = round(scale);
      this.parts.scale.setAttribute("aria-valuetext", round(scale));
      this.parts["shift-text"].textContent = round(shift, 1);
      const raw = FILTERS.map((f, k) => (k ? f : f.map((v) => scale * v + shift)));
      const line = (name, values) => {
        const { mean, variance } = statistics(values);
        return `<tr><th scope="row">${name}</th>${values.map((v) => `<td>${round(v, 1)}</td>`).join("")}` +
          `<td class="nx-sum">mean ${round(mean)}, s.d. ${round(Math.sqrt(variance))}</td></tr>`;
      };
      this.parts.filters.innerHTML = raw
        .map((f, k) => `<table><caption>Filter ${k + 1}</caption><tbody>${line("raw", f)}${line("standardized", standardize(f))}</tbody></table>`)
        .join("");
      const largest = Math.max(...standardize(raw[0]).map((v, i) => Math.abs(v - standardize(FILTERS[0])[i])));
      this.parts["filters-said"].textContent =
        `Filter 1 has been multiplied by ${round(scale)} and ${round(shift, 1)} added; its standardized weights have moved by ${round(largest)}.`;
    }
  }

  const figure = document.getElementById("fig-norm-explorer");
  if (figure) figure.explorer = new Explorer(figure);
  window.normExplorer = { normalize, movement, standardize, BLOCK, OTHER, FILTERS };
})();
