// Draws the slabs of one capture on canvases that share zoom, place, contrast and overlays. Everything is computed
// here from the PNGs of our own routes; nothing is sent back.

const MASK_ALPHA = 140;
const MAX_ZOOM = 40;
const BAR_STEPS_MM = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const kept = new Map(); // by component: what the person set survives a rerun of the page

function loadGrey(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
      const grey = new Uint8ClampedArray(width * height);
      for (let i = 0; i < grey.length; i += 1) grey[i] = data[4 * i];
      resolve({ grey, width, height });
    };
    image.onerror = () => reject(new Error(address));
    image.src = address;
  });
}

function paint(width, height, pixel) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) pixel(i, image.data, 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function tone({ grey, width, height }, brightness, contrast) {
  // Contrast turns about mid-grey; the steepest slope is 5.
  const slope = contrast >= 0 ? 1 + contrast / 25 : 1 + contrast / 111;
  const table = new Uint8ClampedArray(256);
  for (let g = 0; g < 256; g += 1) table[g] = (g - 127.5) * slope + 127.5 + brightness * 1.275;
  return paint(width, height, (i, out, at) => {
    out[at] = out[at + 1] = out[at + 2] = table[grey[i]];
    out[at + 3] = 255;
  });
}

function tint({ grey, width, height }, colour) {
  const [r, g, b] = rgb(colour);
  return paint(width, height, (i, out, at) => {
    if (grey[i] > 127) out.set([r, g, b, MASK_ALPHA], at);
  });
}

function heat({ grey, width, height }, colours) {
  const stops = colours.map(rgb);
  const table = Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place));
    return [0, 1, 2].map((c) => stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (place - low));
  });
  return paint(width, height, (i, out, at) => out.set([...table[grey[i]], grey[i]], at));
}

function outline({ grey, width, height }) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && grey[y * width + x] > 127;
  const path = new Path2D();
  for (let y = 0; y <= height; y += 1) {
    for (let x = 0; x <= width; x += 1) {
      if (inside(x, y) !== inside(x, y - 1)) { path.moveTo(x, y); path.lineTo(x + 1, y); }
      if (inside(x, y) !== inside(x - 1, y)) { path.moveTo(x, y); path.lineTo(x, y + 1); }
    }
  }
  return path;
}

class Pane {
  constructor(viewer, description) {
    this.viewer = viewer;
    this.description = description;
    this.layers = { masks: {} };
    this.figure = document.createElement("figure");
    this.figure.className = "pane";
    const caption = document.createElement("figcaption");
    caption.append(description.name);
    const size = document.createElement("span");
    size.textContent = `${description.width} × ${description.height} px`;
    caption.append(size);
    this.frame = document.createElement("div");
    this.frame.className = "frame";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${description.alt}. Keys: plus and minus zoom, arrows move, 0 fits, 1 is one to one.`);
    this.frame.append(this.canvas);
    this.figure.append(caption, this.frame);
    this.load();
  }

  async load() {
    const { image, masks, faz, cam } = this.description;
    try {
      this.source = await loadGrey(image);
    } catch {
      const words = document.createElement("p");
      words.className = "failed";
      words.textContent = "The image could not be loaded. Reload the page; if it stays away, sign in again.";
      this.frame.append(words);
      this.hasFailed = true;
      this.viewer.redraw();
      return;
    }
    this.retone();
    const colours = Object.fromEntries(this.viewer.data.artifacts.map((a) => [a.type, a.colour]));
    const jobs = Object.entries(masks).map(async ([type, address]) => {
      this.layers.masks[type] = tint(await loadGrey(address), colours[type]);
    });
    if (faz) jobs.push(loadGrey(faz).then((mask) => { this.layers.faz = outline(mask); }));
    if (cam) jobs.push(loadGrey(cam).then((map) => { this.layers.cam = heat(map, this.viewer.data.camColours); }));
    await Promise.allSettled(jobs);
    this.viewer.redraw();
  }

  retone() {
    if (!this.source) return;
    const { brightness, contrast } = this.viewer.state;
    this.layers.image = tone(this.source, brightness, contrast);
    this.viewer.redraw();
  }

  fitZoom() {
    return Math.min(this.canvas.width / this.description.width, this.canvas.height / this.description.height);
  }

  zoom() {
    const { zoom } = this.viewer.state;
    return zoom === null ? this.fitZoom() : zoom * (this.description.ratio ?? 1);
  }

  resize() {
    const side = this.canvas.clientWidth;
    if (side === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const height = Math.min(side * (this.description.height / this.description.width), 620);
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(side * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const { state } = this.viewer;
    const zoom = this.zoom();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!this.layers.image) return;
    const left = width / 2 - state.x * this.description.width * zoom;
    const top = height / 2 - state.y * this.description.height * zoom;
    context.setTransform(zoom, 0, 0, zoom, left, top);
    context.imageSmoothingEnabled = zoom < 3; // beyond, a pixel is shown as the square it is
    context.drawImage(this.layers.image, 0, 0);
    for (const [type, layer] of Object.entries(this.layers.masks)) {
      if (state.on[type]) context.drawImage(layer, 0, 0);
    }
    if (state.on.cam && this.layers.cam) {
      context.globalAlpha = state.opacity / 100;
      context.drawImage(this.layers.cam, 0, 0);
      context.globalAlpha = 1;
    }
    if (state.on.faz && this.layers.faz) {
      context.lineWidth = Math.max(2 * (window.devicePixelRatio || 1), 1) / zoom;
      context.lineCap = "square";
      context.strokeStyle = this.viewer.data.fazColour;
      context.stroke(this.layers.faz);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (this.viewer.data.scale) this.drawBar(context, zoom);
  }

  drawBar(context, zoom) {
    const ratio = window.devicePixelRatio || 1;
    const pxPerMm = zoom / this.viewer.data.scale.mmPerPx;
    const wanted = 0.28 * this.canvas.width;
    const mm = BAR_STEPS_MM.filter((step) => step * pxPerMm <= wanted).pop();
    if (!mm) return;
    const length = mm * pxPerMm;
    const [right, bottom] = [this.canvas.width - 14 * ratio, this.canvas.height - 14 * ratio];
    const words = mm < 0.1 ? `${mm * 1000} µm` : `${mm} mm`;
    context.font = `600 ${13 * ratio}px sans-serif`;
    context.textAlign = "center";
    context.fillStyle = "rgb(0 0 0 / .6)";
    const box = Math.max(length, context.measureText(words).width) + 14 * ratio;
    context.fillRect(right - length / 2 - box / 2, bottom - 24 * ratio, box, 32 * ratio);
    context.fillStyle = "#fff";
    context.fillText(words, right - length / 2, bottom - 8 * ratio);
    context.fillRect(right - length, bottom - 2 * ratio, length, 4 * ratio);
  }
}

class Viewer {
  constructor(root, data, state) {
    this.root = root;
    this.data = data;
    this.state = state;
    this.find = (selector) => root.querySelector(selector);
    this.panes = data.panes.map((description) => new Pane(this, description));
    const width = data.panes[0].width;
    for (const pane of this.panes) pane.description.ratio = width / pane.description.width;
    this.find(".panes").replaceChildren(...this.panes.map((pane) => pane.figure));
    const isBefore = (pane) => Boolean(pane.description.before);
    this.find(".side").hidden = this.panes.filter((pane) => !isBefore(pane)).length < 2;
    this.find(".before").hidden = !this.panes.some(isBefore);
    this.find(".foot").textContent = data.scale
      ? `Length bar: ${data.scale.words}. Grad-CAM shows where the model looked; it is no measurement.`
      : "No length bar: the scale of this scan is not known. Grad-CAM shows where the model looked; it is no measurement.";
    this.drawSwitches();
    window.octauditViewer = this;
    this.listen();
    this.arrange();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.find(".panes"));
  }

  drawSwitches() {
    const list = this.find(".layers");
    list.replaceChildren();
    for (const { type, name, colour } of this.data.artifacts) {
      list.append(this.makeSwitch(type, name, `<i class="swatch" style="background:${colour}"></i>`));
    }
    if (this.data.panes.some((pane) => pane.faz)) {
      list.append(this.makeSwitch("faz", "FAZ outline <kbd>f</kbd>", `<i class="ring" style="border-color:${this.data.fazColour}"></i>`));
    }
    if (this.data.panes.some((pane) => pane.cam)) {
      const ramp = `<i class="ramp" style="background:linear-gradient(to right,${this.data.camColours.join(",")})"></i>`;
      list.append(this.makeSwitch("cam", "Grad-CAM <kbd>c</kbd>", ramp));
      const opacity = document.createElement("label");
      opacity.innerHTML = '<span>Opacity</span> <input type="range" data-set="opacity" min="5" max="100">';
      list.append(opacity);
    }
    if (!list.children.length) list.textContent = "No overlays: nothing was marked in this scan, or it is not scored yet.";
    for (const input of this.root.querySelectorAll("input[data-set]")) {
      const value = this.state[input.dataset.set];
      if (input.type === "checkbox") input.checked = value;
      else input.value = value;
    }
  }

  makeSwitch(type, name, mark) {
    const label = document.createElement("label");
    label.innerHTML = `<input type="checkbox" data-layer="${type}"> ${mark} ${name}`;
    label.querySelector("input").checked = Boolean(this.state.on[type]);
    return label;
  }

  listen() {
    this.root.onclick = ({ target }) => {
      const button = target.closest?.("button[data-do]");
      if (button) this.act(button.dataset.do);
    };
    this.root.oninput = ({ target }) => {
      if (target.dataset.layer) {
        this.state.on[target.dataset.layer] = target.checked;
        this.redraw();
      } else if (target.dataset.set) {
        this.state[target.dataset.set] = target.type === "checkbox" ? target.checked : Number(target.value);
        if (target.dataset.set === "side" || target.dataset.set === "before") this.arrange();
        else if (target.dataset.set === "opacity") this.redraw();
        else this.retone();
      }
    };
    for (const pane of this.panes) this.listenTo(pane);
    this.listenForKeys();
  }

  listenForKeys() {
    this.stopKeys = listenForKeys(this.root, "viewer", {
      m: () => this.flip(this.data.artifacts.map(({ type }) => type)),
      f: () => this.flip(["faz"]),
      c: () => this.flip(["cam"]),
      s: () => this.set("side"),
      v: () => this.set("before"),
    });
  }

  // All of these overlays off where one is on, else all on; as by their switches.
  flip(types) {
    const inputs = types.map((type) => this.find(`input[data-layer="${type}"]`)).filter(Boolean);
    const isOn = !inputs.some((input) => input.checked);
    for (const input of inputs) {
      input.checked = isOn;
      this.state.on[input.dataset.layer] = isOn;
    }
    this.redraw();
  }

  set(name) {
    const input = this.find(`input[data-set="${name}"]`);
    if (!input.closest("label").hidden) input.click();
  }

  listenTo(pane) {
    const { canvas, description } = pane;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const ratio = canvas.width / canvas.clientWidth;
      const box = canvas.getBoundingClientRect();
      const [px, py] = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
      const before = pane.zoom();
      this.zoomBy(Math.exp(-event.deltaY * 0.0016), pane);
      // What lies under the pointer stays under it.
      const shift = 1 / before - 1 / pane.zoom();
      this.state.x += ((px - canvas.width / 2) * shift) / description.width;
      this.state.y += ((py - canvas.height / 2) * shift) / description.height;
      this.redraw();
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("held");
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      const ratio = canvas.width / canvas.clientWidth / pane.zoom();
      this.state.x -= (event.movementX * ratio) / description.width;
      this.state.y -= (event.movementY * ratio) / description.height;
      this.redraw();
    });
    canvas.addEventListener("pointerup", () => canvas.classList.remove("held"));
    canvas.addEventListener("dblclick", () => this.act("fit"));
    canvas.addEventListener("keydown", (event) => {
      const does = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one" }[event.key];
      const step = 0.08;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey || (!does && !moves)) return;
      event.preventDefault();
      event.stopPropagation(); // else the page scrolls, and its own shortcuts fire
      if (does) this.act(does);
      if (moves) { this.state.x += moves[0]; this.state.y += moves[1]; this.redraw(); }
    });
  }

  act(what) {
    const first = this.panes[0];
    if (what === "fit") Object.assign(this.state, { zoom: null, x: 0.5, y: 0.5 });
    if (what === "one") this.state.zoom = 1;
    if (what === "in") this.zoomBy(1.25, first);
    if (what === "out") this.zoomBy(0.8, first);
    if (what === "reset") {
      Object.assign(this.state, { brightness: 0, contrast: 0 });
      for (const name of ["brightness", "contrast"]) this.find(`input[data-set="${name}"]`).value = 0;
      this.retone();
    }
    this.redraw();
  }

  zoomBy(factor, pane) {
    const present = pane.zoom() / (pane.description.ratio ?? 1);
    const least = Math.min(0.1, pane.fitZoom());
    this.state.zoom = Math.min(MAX_ZOOM, Math.max(least, present * factor));
  }

  arrange() {
    // The visit before takes the place of the other slabs: more than two images are too small to compare.
    const showsBefore = this.state.before && this.panes.some((pane) => pane.description.before);
    this.panes.forEach((pane, at) => {
      pane.figure.hidden = at > 0 && (pane.description.before ? !showsBefore : !this.state.side || showsBefore);
    });
    this.resize();
  }

  resize() {
    for (const pane of this.panes) if (!pane.figure.hidden) pane.resize();
    this.redraw();
  }

  retone() {
    for (const pane of this.panes) pane.retone();
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.state.x = Math.min(1, Math.max(0, this.state.x));
      this.state.y = Math.min(1, Math.max(0, this.state.y));
      for (const pane of this.panes) if (!pane.figure.hidden) pane.draw();
      this.find(".zoom").textContent = `${Math.round(100 * this.panes[0].zoom())} %`;
      this.find('[data-do="fit"]').setAttribute("aria-pressed", String(this.state.zoom === null));
      this.find('[data-do="one"]').setAttribute("aria-pressed", String(this.state.zoom === 1));
      this.showSeen();
    });
  }

  // The opened scan, the first image, is on the page, or the words that it could not be loaded: it may be decided.
  showSeen() {
    const [opened] = this.panes;
    if (this.seen || window.octauditViewer !== this || !(opened.layers.image || opened.hasFailed)) return;
    this.seen = this.data.scan;
    window.dispatchEvent(new Event("octaudit:seen"));
  }

  close() {
    this.stopKeys();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }
}

export default function ({ data, key, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  const shown = JSON.stringify(data);
  if (root.octaudit?.shown === shown) return;
  root.octaudit?.viewer.close();
  const state = kept.get(key) ?? {
    zoom: null, x: 0.5, y: 0.5, brightness: 0, contrast: 0, side: true, before: false, opacity: 60,
    on: { ...Object.fromEntries(data.artifacts.map((a) => [a.type, !a.isOff])), faz: true, cam: false },
  };
  kept.set(key, state);
  root.octaudit = { shown, viewer: new Viewer(root, data, state) };
}
