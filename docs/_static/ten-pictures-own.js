// The learner on the reader's own pictures: two classes or more, dropped, chosen or taken with the camera. The network
// (ten-pictures-net.js) runs here; pictures stay in this page. Its weights are loaded with the first picture.
(() => {
  "use strict";

  const SIDE = 64, UNNAMED = -1;
  const HTML = `
    <p>Give two classes or more a few pictures each, then pictures to name. They never leave this computer: the network
      runs in this page. The first picture loads it (4.7 MB).</p>
    <div class="tp-own" data-own="classes"></div>
    <p><button type="button" data-own="add">Add a class</button></p>
    <div class="tp-own" data-own="unknown"></div>
    <progress data-own="progress" max="1" value="0" hidden aria-label="Pictures seen by the network"></progress>
    <p data-own="said" role="status"></p>`;

  // The middle square of a picture, at the size on which the network was trained.
  function square(source, width, height) {
    const side = Math.min(width, height), canvas = document.createElement("canvas");
    canvas.width = SIDE;
    canvas.height = SIDE;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(source, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    return canvas;
  }

  async function squareOf(file) {
    const image = new Image(), url = URL.createObjectURL(file);
    image.src = url;
    try {
      await image.decode();
      return square(image, image.naturalWidth, image.naturalHeight);
    } catch {
      throw new Error(`${file.name} is no picture that this browser reads; give JPEG, PNG or WebP`);
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  class Own {
    constructor(place, loadScript) {
      this.loadScript = loadScript;
      this.pictures = []; // { group, canvas, features }
      const body = document.createElement("div");
      body.innerHTML = HTML;
      place.append(body);
      this.parts = Object.fromEntries([...body.querySelectorAll("[data-own]")].map((e) => [e.dataset.own, e]));
      this.groups = [];
      this.addGroup("one thing");
      this.addGroup("another");
      this.unknown = this.card(UNNAMED, this.parts.unknown);
      this.parts.add.addEventListener("click", () => this.addGroup(`thing ${this.groups.length + 1}`).name.focus());
    }

    addGroup(name) {
      const card = this.card(this.groups.length, this.parts.classes);
      card.name.value = name;
      this.groups.push(card);
      return card;
    }

    nameOf(group) {
      return group === UNNAMED ? "pictures to name" : this.groups[group].name.value.trim() || `class ${group + 1}`;
    }

    // A place for the pictures of a class, or for those to name.
    card(group, place) {
      const root = document.createElement("fieldset");
      root.innerHTML = `<legend>${group === UNNAMED ? "Pictures to name" : `Class ${group + 1}`}</legend>
        ${group === UNNAMED ? "" : `<label>called <input type="text" maxlength="24"></label>`}
        <div class="tp-own-buttons"><label class="tp-file">Choose or drop
        <input type="file" accept="image/*" multiple aria-label="Choose pictures of ${group === UNNAMED ? "things to name" : `class ${group + 1}`}"></label>
        <button type="button">Camera</button></div><div class="tp-own-pictures"></div>`;
      const card = { root, name: root.querySelector("[type=text]"), list: root.querySelector(".tp-own-pictures") };
      const file = root.querySelector("[type=file]");
      file.addEventListener("change", () => { this.add(group, [...file.files]); file.value = ""; });
      root.querySelector("button").addEventListener("click", (e) => this.camera(group, card, e.currentTarget));
      card.name?.addEventListener("input", () => this.learn());
      root.addEventListener("dragover", (e) => { e.preventDefault(); root.classList.add("tp-over"); });
      root.addEventListener("dragleave", () => root.classList.remove("tp-over"));
      root.addEventListener("drop", (e) => {
        e.preventDefault();
        root.classList.remove("tp-over");
        this.add(group, [...e.dataTransfer.files]);
      });
      place.append(root);
      return card;
    }

    async runner() {
      this.running ??= this.loadScript("ten-pictures-weights.js")
        .then(() => new window.tenPictures.Runner(window.tenPicturesWeights));
      try {
        return await this.running;
      } catch (error) {
        this.running = null; // so that the next picture tries again
        throw error;
      }
    }

    async add(group, files) {
      const troubles = [];
      let done = 0;
      this.parts.progress.hidden = false;
      this.parts.progress.value = 0;
      for (const file of files) {
        try {
          await this.see(group, await squareOf(file));
        } catch (error) {
          troubles.push(error.message);
        }
        done += 1;
        this.parts.progress.value = done / files.length;
      }
      this.parts.progress.hidden = true;
      this.learn(troubles);
    }

    async see(group, canvas) {
      this.say("The network looks …");
      const runner = await this.runner();
      const { data } = canvas.getContext("2d").getImageData(0, 0, SIDE, SIDE);
      this.pictures.push({ group, canvas, features: await runner.features(data) });
      this.show(group);
    }

    async camera(group, card, button) {
      if (card.video) {
        const taken = square(card.video, card.video.videoWidth, card.video.videoHeight);
        await this.see(group, taken).then(() => this.learn(), (error) => this.say(error.message));
        return;
      }
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        card.video = document.createElement("video");
        card.video.srcObject = stream;
        card.video.muted = true;
        card.video.playsInline = true;
        card.list.before(card.video);
        await card.video.play();
        button.textContent = "Take a picture";
        const stop = document.createElement("button");
        stop.type = "button";
        stop.textContent = "Camera off";
        stop.addEventListener("click", () => {
          for (const track of stream.getTracks()) track.stop();
          card.video.remove();
          card.video = null;
          stop.remove();
          button.textContent = "Camera";
        });
        button.after(stop);
      } catch (error) {
        this.say(`No camera could be opened (${error.name}); choose or drop pictures.`);
      }
    }

    show(group) {
      const card = group === UNNAMED ? this.unknown : this.groups[group];
      const own = this.pictures.filter((p) => p.group === group);
      card.list.replaceChildren(...own.map((picture, i) => {
        const item = document.createElement("div"), remove = document.createElement("button");
        remove.type = "button";
        remove.className = "tp-remove";
        remove.textContent = "×";
        remove.setAttribute("aria-label", `Remove picture ${i + 1} of ${this.nameOf(group)}`);
        remove.addEventListener("click", () => {
          this.pictures = this.pictures.filter((p) => p !== picture);
          this.show(group);
          this.learn();
        });
        item.append(picture.canvas, remove);
        if (picture.said) item.append(picture.said);
        return item;
      }));
    }

    // The head on what is there; every picture to name gets its name, how sure the head is, and the picture most like it.
    learn(troubles = []) {
      const known = this.pictures.filter((p) => p.group !== UNNAMED), asked = this.pictures.filter((p) => p.group === UNNAMED);
      const used = [...new Set(known.map((p) => p.group))].sort((a, b) => a - b);
      for (const picture of asked) picture.said = null;
      if (used.length > 1) {
        const { penalty } = window.tenPicturesData, all = [...known, ...asked], width = all[0].features.length, values = new Float32Array(all.length * width);
        all.forEach((p, i) => values.set(p.features, i * width));
        const labels = known.map((p) => used.indexOf(p.group));
        const head = new window.tenPictures.Head(values, width, known.map((_, i) => i), labels, used.length, penalty).finish();
        asked.forEach((picture, i) => this.name(picture, head, known.length + i, used, known));
      }
      this.show(UNNAMED);
      const names = asked.filter((p) => p.answer).map((p, i) => `${i + 1}: ${p.answer}`);
      const need = used.length > 1 ? "Now give pictures to name." : "Give a second class at least one picture.";
      this.say([...troubles, !this.pictures.length ? "" : used.length > 1 && names.length ? `Named: ${names.join(", ")}.` : need]
        .filter(Boolean).join(" "));
    }

    name(picture, head, row, used, known) {
      const shares = head.probabilities(row), best = shares.indexOf(Math.max(...shares));
      picture.answer = this.nameOf(used[best]);
      picture.said = document.createElement("p");
      picture.said.append(`${picture.answer} (${Math.round(100 * shares[best])}%), most like `);
      const twin = document.createElement("canvas"), nearest = known[head.neighbors(row)[0].row];
      twin.width = SIDE;
      twin.height = SIDE;
      twin.className = "tp-twin";
      twin.setAttribute("role", "img");
      twin.setAttribute("aria-label", `a picture of ${this.nameOf(nearest.group)}`);
      twin.getContext("2d").drawImage(nearest.canvas, 0, 0);
      picture.said.append(twin);
    }

    say(text) {
      this.parts.said.textContent = text;
    }
  }

  const mountOwn = (place, loadScript) => { place.own = new Own(place, loadScript); };
  window.tenPictures = Object.assign(window.tenPictures ?? {}, { mountOwn });
})();
