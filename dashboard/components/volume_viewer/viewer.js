// Draws the B-scans of one volume, the fundus image with the place of each, and the layer borders. Fetches from our own
// routes what it shows, a few B-scans ahead; sends back one thing alone: where a person says that the fovea is.

const MAX_ZOOM = 20;
const AHEAD = 3;
const MOST_KEPT = 160; // decoded B-scans; 97 of 496 x 768 px are a volume
const TALLEST_PX = 460;
const BAR_UM = 200;
const kept = new Map(); // by component: what the person set survives a rerun of the page

function load(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(address));
    image.src = address;
  });
}

class Slices {
  constructor(data, whenLoaded) {
    this.data = data;
    this.whenLoaded = whenLoaded;
    this.images = new Map();
    this.borders = new Map();
  }

  // What is there of one B-scan now; the rest is fetched, and the viewer draws again when it has come.
  at(index) {
    this.fetch(index);
    return { image: this.images.get(index), borders: this.borders.get(index) };
  }

  ahead(index) {
    for (let step = 1; step <= AHEAD; step += 1) for (const at of [index + step, index - step]) this.fetch(at);
  }

  fetch(index) {
    if (index < 0 || index >= this.data.n) return;
    this.keep(this.images, index, () => load(`${this.data.folder}/${index}.png`));
    if (!this.data.hasBorders) return;
    this.keep(this.borders, index, async () => {
      const answer = await fetch(`${this.data.folder}/${index}.json`, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.statusText);
      return answer.json();
    });
  }

  keep(shelf, index, get) {
    if (shelf.has(index)) return;
    if (shelf.size >= MOST_KEPT) shelf.delete(shelf.keys().next().value);
    shelf.set(index, null);
    get().then((found) => shelf.set(index, found), () => shelf.set(index, "failed")).then(() => this.whenLoaded(index));
  }
}

class VolumeViewer {
  constructor(root, data, state, choose) {
    Object.assign(this, { root, data, state, choose });
    window.octauditViewer = this; // the image to be seen before the scan is decided
    this.slices = new Slices(data, (index) => { if (index === this.state.at) this.redraw(); });
    this.bscan = root.querySelector(".bscan canvas");
    this.fundus = root.querySelector(".fundus canvas");
    this.slider = root.querySelector(".slice");
    this.arrange();
    this.listen();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
    this.show(this.state.at);
  }

  find(what) { return this.root.querySelector(what); }

  arrange() {
    const { data, state } = this;
    this.find(".fundus").hidden = !data.slo;
    this.find(".views").classList.toggle("single", !data.slo);
    this.find(".steps").hidden = data.n === 1;
    this.slider.max = data.n;
    this.find(".model").hidden = this.find(".fill").hidden = !data.layers.length;
    this.find(".device").hidden = !data.device.length;
    this.find(".pick").hidden = !data.mayPick;
    this.find(".foot").textContent = data.foot;
    for (const input of this.root.querySelectorAll("input[data-set]")) input.checked = state[input.dataset.set];
    for (const input of this.root.querySelectorAll("input[data-tone]")) input.value = state[input.dataset.tone];
    this.find(".legend").replaceChildren(...data.layers.map(({ name, colour }) => {
      const item = document.createElement("span");
      const mark = document.createElement("i");
      mark.style.borderColor = colour;
      item.append(mark, name);
      return item;
    }));
    this.find(".bscan .size").textContent = `${data.width} × ${data.height} px`;
    if (data.slo) {
      this.find(".fundus .size").textContent = data.slo.words;
      load(data.slo.address).then(
        (image) => { this.slo = image; this.redraw(); },
        () => this.fail(this.find(".fundus .frame")),
      );
    }
  }

  fail(frame) {
    if (frame.querySelector(".failed")) return;
    const words = document.createElement("p");
    words.className = "failed";
    words.textContent = "The image could not be loaded. Reload the page; if it stays away, sign in again.";
    frame.append(words);
  }

  listen() {
    this.root.onclick = ({ target }) => {
      const button = target.closest?.("button[data-do]");
      if (button) this.act(button.dataset.do);
    };
    this.root.oninput = ({ target }) => {
      if (target === this.slider) this.show(Number(target.value) - 1);
      else if (target.dataset.set) { this.state[target.dataset.set] = target.checked; this.redraw(); }
      else if (target.dataset.tone) { this.state[target.dataset.tone] = Number(target.value); this.redraw(); }
    };
    this.fundus.onpointerdown = (event) => this.pickOnFundus(event);
    this.fundus.onkeydown = (event) => this.step(event);
    this.listenToBscan();
  }

  step(event) {
    const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // else the page scrolls, and its own shortcuts fire
    this.show(this.state.at + by);
  }

  listenToBscan() {
    const canvas = this.bscan;
    let travelled = 0;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * 0.0016), this.placeOf(event));
    }, { passive: false });
    canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); travelled = 0; };
    canvas.onpointermove = (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      travelled += Math.abs(event.movementX) + Math.abs(event.movementY);
      if (travelled < 4) return; // a click trembles
      canvas.classList.add("held");
      const ratio = canvas.width / canvas.clientWidth / this.zoom();
      this.state.x -= (event.movementX * ratio) / this.data.width;
      this.state.y -= (event.movementY * ratio) / this.data.height;
      this.redraw();
    };
    canvas.onpointerup = (event) => {
      canvas.classList.remove("held");
      if (travelled < 4) this.cross(this.placeOf(event)[0]);
    };
    canvas.ondblclick = () => this.act("fit");
    canvas.onkeydown = (event) => {
      const does = { "+": "in", "=": "in", "-": "out", 0: "fit" }[event.key];
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey || (!does && !by)) return;
      event.preventDefault();
      event.stopPropagation();
      if (does) this.act(does);
      else this.cross((this.state.across ?? this.data.width / 2) + by * (event.shiftKey ? 10 : 1));
    };
  }

  // Column and row of the B-scan under the pointer.
  placeOf(event) {
    const box = this.bscan.getBoundingClientRect();
    const ratio = this.bscan.width / this.bscan.clientWidth;
    const [left, top] = this.corner();
    return [((event.clientX - box.left) * ratio - left) / this.zoom(), ((event.clientY - box.top) * ratio - top) / this.zoom()];
  }

  cross(column) {
    this.state.across = Math.min(this.data.width - 1, Math.max(0, Math.round(column)));
    this.redraw();
  }

  // The B-scan and the A-scan that lie nearest to where the fundus image was touched.
  pickOnFundus(event) {
    const { paths, slo, width } = this.data;
    if (!paths) return;
    const box = this.fundus.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * slo.width;
    const y = ((event.clientY - box.top) / box.height) * slo.height;
    const best = paths.map(([x1, y1, x2, y2], index) => {
      const length = (x2 - x1) ** 2 + (y2 - y1) ** 2 || 1;
      const along = Math.min(1, Math.max(0, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
      return { index, along, off: (x1 + along * (x2 - x1) - x) ** 2 + (y1 + along * (y2 - y1) - y) ** 2 };
    }).reduce((one, other) => (other.off < one.off ? other : one));
    this.state.across = Math.round(best.along * (width - 1));
    this.show(best.index);
  }

  act(what) {
    if (what === "previous") this.show(this.state.at - 1);
    if (what === "next") this.show(this.state.at + 1);
    if (what === "fit") { Object.assign(this.state, { zoom: null, x: 0.5, y: 0.5 }); this.redraw(); }
    if (what === "in") this.zoomBy(1.25);
    if (what === "out") this.zoomBy(0.8);
    if (what === "fovea" && this.state.across !== null) this.choose({ bscan: this.state.at, column: this.state.across });
  }

  show(index) {
    this.state.at = Math.min(this.data.n - 1, Math.max(0, index));
    this.slider.value = this.state.at + 1;
    this.slider.setAttribute("aria-valuetext", `B-scan ${this.state.at + 1} of ${this.data.n}`);
    this.find('[data-do="previous"]').disabled = this.state.at === 0;
    this.find('[data-do="next"]').disabled = this.state.at === this.data.n - 1;
    this.redraw();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.slices.ahead(this.state.at), 150); // none while somebody runs through them
  }

  fitZoom() { return Math.min(this.bscan.width / this.data.width, this.bscan.height / this.data.height); }

  zoom() { return this.state.zoom ?? this.fitZoom(); }

  zoomBy(factor, place) {
    const before = this.zoom();
    this.state.zoom = Math.min(MAX_ZOOM, Math.max(Math.min(0.2, this.fitZoom()), before * factor));
    if (place) { // what lies under the pointer stays under it
      const stays = before / this.state.zoom;
      this.state.x = (place[0] + (this.state.x * this.data.width - place[0]) * stays) / this.data.width;
      this.state.y = (place[1] + (this.state.y * this.data.height - place[1]) * stays) / this.data.height;
    }
    this.redraw();
  }

  corner() {
    const zoom = this.zoom();
    return [
      this.bscan.width / 2 - this.state.x * this.data.width * zoom,
      this.bscan.height / 2 - this.state.y * this.data.height * zoom,
    ];
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { data } = this;
    const sizes = [[this.bscan, Math.min(TALLEST_PX / this.bscan.clientWidth, data.height / data.width)]];
    if (data.slo) sizes.push([this.fundus, data.slo.height / data.slo.width]);
    for (const [canvas, shape] of sizes) {
      const side = canvas.clientWidth;
      if (!side || !Number.isFinite(shape)) continue;
      canvas.width = Math.round(side * ratio);
      canvas.height = Math.round(side * shape * ratio);
      canvas.style.height = `${side * shape}px`;
    }
    this.redraw();
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.state.x = Math.min(1, Math.max(0, this.state.x));
      this.state.y = Math.min(1, Math.max(0, this.state.y));
      const slice = this.slices.at(this.state.at);
      this.drawBscan(slice);
      if (this.data.slo) this.drawFundus();
      this.say(slice);
    });
  }

  drawBscan({ image, borders }) {
    const context = this.bscan.getContext("2d");
    const [left, top] = this.corner();
    const zoom = this.zoom();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.bscan.width, this.bscan.height);
    this.find(".bscan .failed")?.remove();
    if (image) this.showSeen();
    if (image === "failed") { this.fail(this.find(".bscan .frame")); return; }
    if (!image) return;
    context.setTransform(zoom, 0, 0, zoom, left, top);
    context.imageSmoothingEnabled = zoom < 2;
    context.filter = this.tone();
    context.drawImage(image, 0, 0);
    context.filter = "none";
    if (borders && borders !== "failed") this.drawBorders(context, borders, zoom);
    if (this.state.across !== null) {
      context.strokeStyle = "rgba(255, 255, 255, .75)";
      context.lineWidth = 1 / zoom;
      context.setLineDash([4 / zoom, 4 / zoom]);
      context.strokeRect(this.state.across + 0.5, -1, 0, this.data.height + 2);
      context.setLineDash([]);
    }
    this.drawBar(context, zoom);
  }

  // Contrast turns about mid-grey, as in the viewer of single images.
  tone() {
    const { brightness, contrast } = this.state;
    if (!brightness && !contrast) return "none";
    const slope = contrast >= 0 ? 1 + contrast / 25 : 1 + contrast / 111;
    return `brightness(${Math.max(0, 1 + brightness / 100)}) contrast(${slope})`;
  }

  // A B-scan is on the page, or the words that it could not be loaded: the scan may be decided.
  showSeen() {
    if (this.seen || window.octauditViewer !== this) return;
    this.seen = this.data.scan;
    window.dispatchEvent(new Event("octaudit:seen"));
  }

  drawBorders(context, { model, device }, zoom) {
    const ratio = window.devicePixelRatio || 1;
    if (this.state.fill && model) {
      for (let at = 0; at + 1 < model.length; at += 1) this.fillBetween(context, model[at], model[at + 1], this.data.layers[at].colour);
    }
    context.lineJoin = "round";
    if (this.state.model && model) {
      context.lineWidth = (1.5 * ratio) / zoom;
      model.forEach((rows, at) => this.line(context, rows, this.data.layers[at].colour));
    }
    if (this.state.device && device) {
      context.lineWidth = (1.1 * ratio) / zoom;
      context.setLineDash([5 / zoom, 4 / zoom]);
      for (const rows of device) this.line(context, rows, "#ffffff");
      context.setLineDash([]);
    }
  }

  line(context, rows, colour) {
    context.strokeStyle = colour;
    context.beginPath();
    let isDown = false;
    rows.forEach((row, column) => {
      if (row === null) isDown = false;
      else if (isDown) context.lineTo(column + 0.5, row + 0.5);
      else { context.moveTo(column + 0.5, row + 0.5); isDown = true; }
    });
    context.stroke();
  }

  fillBetween(context, upper, lower, colour) {
    context.fillStyle = colour;
    context.globalAlpha = 0.35;
    upper.forEach((row, column) => {
      const end = lower[column];
      if (row !== null && end !== null && end > row) context.fillRect(column, row + 0.5, 1, end - row);
    });
    context.globalAlpha = 1;
  }

  // How long 200 um are, down and across: a B-scan's pixels are no squares.
  drawBar(context, zoom) {
    const { umPerPx } = this.data;
    if (!umPerPx) return;
    const ratio = window.devicePixelRatio || 1;
    const across = (BAR_UM / umPerPx.x) * zoom;
    const down = (BAR_UM / umPerPx.z) * zoom;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const [x, y] = [12 * ratio, this.bscan.height - 12 * ratio];
    const trace = () => { context.beginPath(); context.moveTo(x, y - down); context.lineTo(x, y); context.lineTo(x + across, y); context.stroke(); };
    context.strokeStyle = "rgba(0, 0, 0, .8)"; context.lineWidth = 4 * ratio; trace();
    context.strokeStyle = "#ffffff"; context.lineWidth = 1.6 * ratio; trace();
    context.font = `${11 * ratio}px sans-serif`;
    context.fillStyle = "#ffffff"; context.strokeStyle = "rgba(0, 0, 0, .8)"; context.lineWidth = 3 * ratio;
    context.strokeText(`${BAR_UM} µm`, x + 5 * ratio, y - 5 * ratio);
    context.fillText(`${BAR_UM} µm`, x + 5 * ratio, y - 5 * ratio);
  }

  drawFundus() {
    const canvas = this.fundus;
    const context = canvas.getContext("2d");
    const { slo, paths, circle, fovea } = this.data;
    const scale = canvas.width / slo.width;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, slo.width, slo.height);
    if (this.slo) context.drawImage(this.slo, 0, 0, slo.width, slo.height);
    const trace = (colour, width, draw) => {
      context.strokeStyle = colour;
      context.lineWidth = (width * ratio) / scale;
      context.beginPath();
      draw();
      context.stroke();
    };
    const round = ([x, y, radius]) => { context.moveTo(x + radius, y); context.arc(x, y, radius, 0, 2 * Math.PI); };
    const straight = ([x1, y1, x2, y2]) => { context.moveTo(x1, y1); context.lineTo(x2, y2); };
    if (circle) trace("#56b4e9", 2, () => round(circle[this.state.at]));
    if (paths) {
      trace("rgba(86, 180, 233, .3)", 0.8, () => paths.forEach(straight));
      trace("rgba(0, 0, 0, .7)", 4, () => straight(paths[this.state.at]));
      trace("#f0e442", 2, () => straight(paths[this.state.at]));
      this.drawCross(trace, paths[this.state.at], scale, ratio);
    }
    if (fovea) trace("#ffffff", 1.6, () => round([fovea.x, fovea.y, (6 * ratio) / scale]));
  }

  drawCross(trace, [x1, y1, x2, y2], scale, ratio) {
    if (this.state.across === null) return;
    const share = this.state.across / Math.max(1, this.data.width - 1);
    const [x, y, arm] = [x1 + share * (x2 - x1), y1 + share * (y2 - y1), (8 * ratio) / scale];
    const context = this.fundus.getContext("2d");
    trace("#ffffff", 1.6, () => {
      context.moveTo(x - arm, y); context.lineTo(x + arm, y);
      context.moveTo(x, y - arm); context.lineTo(x, y + arm);
    });
  }

  say({ borders }) {
    const { data, state } = this;
    const quality = data.quality ? ` · ${data.quality[state.at].toFixed(0)} dB` : "";
    const place = `B-scan ${state.at + 1} of ${data.n}`;
    this.find(".place").textContent = place + quality;
    this.find(".zoom").textContent = `${Math.round((100 * this.zoom()) / (window.devicePixelRatio || 1))} %`;
    this.find('[data-do="fovea"]').disabled = state.across === null;
    const words = [];
    if (state.across !== null) {
      words.push(`A-scan ${state.across + 1} of ${data.width}`);
      const thickness = borders && borders !== "failed" && this.thickness(borders.model);
      if (thickness) words.push(`retina ${Math.round(thickness)} µm thick here`);
    } else words.push(data.n > 1 && data.slo ? "Click in an image to place the cross" : "Click in the image to place the cross");
    const agreement = data.agreement?.[state.at] ?? null;
    if (agreement !== null) words.push(`level agreement of this B-scan ${agreement.toFixed(2)}`);
    this.find(".reading").textContent = words.join(" · ");
    const drawn = borders && borders !== "failed" && borders.model ? `, ${borders.model.length} layer borders` : "";
    this.bscan.setAttribute("aria-label", `${place}${drawn}. Keys: arrows move the cross, plus and minus zoom, 0 fits.`);
    this.fundus.setAttribute("aria-label", `Fundus image with the place of ${place}. Keys: arrows step through the B-scans.`);
    this.bscan.dataset.shown = this.slices.images.get(state.at) instanceof Image ? String(state.at) : "";
  }

  thickness(model) {
    if (!model || !this.data.umPerPx) return null;
    const [first, last] = [model[0][this.state.across], model.at(-1)[this.state.across]];
    return first === null || last === null ? null : (last - first) * this.data.umPerPx.z;
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.waiting);
    cancelAnimationFrame(this.frame);
  }
}

export default function ({ data, key, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".volume");
  const shown = JSON.stringify(data);
  if (root.octaudit?.shown === shown) return;
  root.octaudit?.viewer.close();
  const state = kept.get(key) ?? {
    at: data.start, across: null, zoom: null, x: 0.5, y: 0.5, brightness: 0, contrast: 0, model: true, fill: false,
    device: false,
  };
  if (state.asked !== data.start) Object.assign(state, { asked: data.start, at: data.start }); // another link's B-scan
  kept.set(key, state);
  const choose = (place) => setTriggerValue("picked", { ...place, scan: data.scan });
  root.octaudit = { shown, viewer: new VolumeViewer(root, data, state, choose) };
}
