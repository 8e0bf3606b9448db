// The review form: marks and words are kept here as they are typed and sent on as a draft; a decision is sent once.
const DRAFT_AFTER_MS = 600;
const PATIENCE_MS = 15_000; // an answer that takes longer is lost: the buttons work again

const STEPS = {
  override: {
    words: "Override grade", key: "o", confirm: "Save my grade",
    fields: [["grade"], ["reason", "Reason (required)", "What does the image show that the model missed?"]],
    note: "Gradable or outstanding accepts the scan. The model's grade stays on record.",
  },
  request_reacquisition: {
    words: "Ask for a new scan", key: "r", confirm: "Send to the site",
    fields: [
      ["text", "Why (empty: as marked above)", "", "short"],
      ["remedy", "What the technician should do (empty: the remedies of what failed)", "", "short"],
    ],
  },
  query: {
    words: "Ask the site", key: "q", confirm: "Send the question",
    fields: [["question", "Question (required)", "Was this the left eye? The optic disc lies on the other side."]],
    note: "The scan waits in the site's worklist for the answer and then comes back to you.",
  },
};

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element[key] = value;
    else if (value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

class Form {
  constructor(root, { data, setStateValue, setTriggerValue }) {
    Object.assign(this, { root, data, setStateValue, setTriggerValue });
    this.find = (selector) => root.querySelector(selector);
    this.values = structuredClone(data.draft);
    if (this.values.step && !data.steps.includes(this.values.step)) this.values.step = null;
    root.onsubmit = (event) => event.preventDefault();
    this.drawHead();
    this.drawLetters();
    this.drawActions();
    this.openStep(this.values.step, { isQuiet: true });
    endAsking();
    this.setBusy(false);
    this.listen();
  }

  listen() {
    const stop = listenForKeys(this.root, "form", this.keys());
    const showReady = () => this.showReady();
    window.addEventListener("octaudit:seen", showReady);
    this.stopKeys = () => { stop(); window.removeEventListener("octaudit:seen", showReady); };
    this.showReady();
  }

  // Single keys act once the scan that they are about can be seen, and never while an answer is on its way.
  showReady() {
    this.root.ariaBusy = String(this.isBusy || !isSeen(this.data.scan));
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    this.root.classList.toggle("busy", isBusy);
    if (isBusy) leaveField(this.root);
    this.root.inert = isBusy;
    this.showReady();
  }

  keys() {
    const keys = {};
    this.data.criteria.forEach(({ code }, at) => { keys[String(at + 1)] = () => this.toggle(code); });
    if (this.data.canAccept) keys.a = () => this.decide("accept");
    for (const name of this.data.steps) keys[STEPS[name].key] = () => this.openStep(name);
    const whenSeen = (act) => () => { if (isSeen(this.data.scan) && !isAsking()) act(); };
    return Object.fromEntries(Object.entries(keys).map(([key, act]) => [key, whenSeen(act)]));
  }

  drawHead() {
    const small = make("small", {}, " pass or fail, letter by letter");
    this.find("h3").replaceChildren(this.data.formName, small);
    const note = this.find(".note");
    note.textContent = this.data.note ?? "";
    note.hidden = !this.data.note;
    this.showSaved(this.data.saved);
  }

  showSaved(words) {
    this.find(".saved").textContent = words ?? "";
  }

  drawLetters() {
    const rows = this.data.criteria.map(({ code, letter, label, text, flagged }, at) => {
      const model = flagged ? [make("span", { class: "model" }, " · flagged by the model")] : [];
      const button = make(
        "button", { type: "button", title: text, "data-code": code, onclick: () => this.toggle(code) },
        make("kbd", {}, String(at + 1)), make("b", {}, letter), make("span", {}, label, ...model),
        make("span", { class: "mark chip" }),
      );
      return make("li", {}, button);
    });
    this.find(".letters").replaceChildren(...rows);
    for (const { code } of this.data.criteria) this.paint(code);
  }

  paint(code) {
    const button = this.find(`[data-code="${code}"]`);
    const hasPassed = this.values.marks[code];
    button.setAttribute("aria-pressed", String(!hasPassed));
    const mark = button.querySelector(".mark");
    mark.textContent = hasPassed ? "passed" : "failed";
    mark.className = `mark chip ${hasPassed ? "good" : "bad"}`;
  }

  toggle(code) {
    if (this.isBusy) return;
    this.values.marks[code] = !this.values.marks[code];
    this.paint(code);
    this.keepDraft();
  }

  drawActions() {
    const buttons = this.data.steps.map((name) => {
      const { words, key } = STEPS[name];
      return make(
        "button", { type: "button", class: "do", "data-step": name, "aria-expanded": "false",
          onclick: () => this.openStep(this.values.step === name ? null : name) },
        words, make("kbd", {}, key),
      );
    });
    if (this.data.canAccept) {
      buttons.unshift(make(
        "button", { type: "button", class: "do main", title: "The scan is good enough as it is graded.",
          onclick: () => this.decide("accept") }, "Accept", make("kbd", {}, "a"),
      ));
    }
    this.find(".actions").replaceChildren(...buttons);
  }

  openStep(name, { isQuiet = false } = {}) {
    if (this.isBusy) return;
    this.values.step = name ?? null;
    this.say("");
    for (const button of this.root.querySelectorAll("[data-step]")) {
      button.setAttribute("aria-expanded", String(button.dataset.step === name));
    }
    const section = this.find(".step");
    section.hidden = !name;
    section.replaceChildren(...(name ? this.fieldsOf(name) : []));
    if (isQuiet) return;
    this.keepDraft();
    if (name) section.querySelector("input, textarea").focus();
  }

  fieldsOf(name) {
    const { fields, confirm, note } = STEPS[name];
    const parts = fields.map(([field, label, placeholder, size]) =>
      field === "grade" ? this.gradeField() : this.wordField(field, label, placeholder, size));
    const words = name === "request_reacquisition" ? this.data.due : note;
    parts.push(make(
      "div", { class: "ends" },
      make("button", { type: "button", class: "do main", onclick: () => this.decide(name) }, confirm, make("kbd", {}, "Ctrl ↵")),
      make("button", { type: "button", class: "do", onclick: () => this.leaveStep() }, "Cancel", make("kbd", {}, "Esc")),
    ));
    parts.push(make("p", { class: "small muted" }, words));
    this.find(".step").onkeydown = (event) => {
      if (event.key === "Escape") this.leaveStep();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.decide(name);
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    return parts;
  }

  gradeField() {
    const choices = this.data.grades.map(([ordinal, name]) => {
      const input = make("input", { type: "radio", name: "ordinal", value: ordinal, checked: this.values.ordinal === ordinal });
      input.onchange = () => { this.values.ordinal = ordinal; this.keepDraft(); };
      return make("label", { class: "grade-of" }, input, name, make("kbd", {}, String(ordinal)));
    });
    const field = make("fieldset", {}, make("legend", {}, "Your grade (required)"), ...choices);
    field.onkeydown = (event) => {
      const input = field.querySelector(`input[value="${event.key}"]`);
      if (!input) return;
      event.preventDefault();
      input.click();
      this.find("textarea").focus();
    };
    return field;
  }

  wordField(field, label, placeholder, size) {
    const area = make("textarea", { placeholder, maxlength: this.data.maxWords, class: size ?? "", "data-field": field });
    area.value = this.values[field];
    area.oninput = () => { this.values[field] = area.value; this.keepDraft(); };
    return make("label", {}, make("span", {}, label), area);
  }

  leaveStep() {
    const name = this.values.step;
    this.openStep(null);
    this.find(`[data-step="${name}"]`)?.focus();
  }

  say(words) {
    const place = this.find(".wrong");
    place.textContent = words;
    place.hidden = !words;
  }

  faultOf(name) {
    const { ordinal, reason, question, marks, text } = this.values;
    if (name === "override" && ordinal === null) return ["Choose your grade: 0, 1 or 2.", "input[name=ordinal]"];
    if (name === "override" && !reason.trim()) return ["An override needs a reason: write it in a few words.", "[data-field=reason]"];
    if (name === "query" && !question.trim()) return ["The question is empty: write what the site should look up.", "[data-field=question]"];
    if (name === "request_reacquisition" && !this.data.hasReason && Object.values(marks).every(Boolean)) {
      return ["Nothing has failed: mark the letters for which the scan is to be taken again.", text ? "[data-field=text]" : ".letters button"];
    }
    return null;
  }

  decide(name) {
    if (this.isBusy) return;
    const fault = this.faultOf(name);
    if (fault) {
      this.say(fault[0]);
      this.find(fault[1])?.focus();
      return;
    }
    if (!mayAsk(PATIENCE_MS)) return;
    clearTimeout(this.timer);
    this.setBusy(true);
    this.setTriggerValue("decided", { do: name, scan: this.data.scan, version: this.data.version, draft: this.values });
    this.patience = setTimeout(() => this.wake(), PATIENCE_MS);
  }

  wake() {
    this.setBusy(false);
    this.say("The server has not answered yet. Decide again: nothing is written twice.");
  }

  keepDraft() {
    clearTimeout(this.timer);
    this.showSaved("…");
    this.timer = setTimeout(() => this.sendDraft(), DRAFT_AFTER_MS);
  }

  sendDraft() {
    if (!this.isBusy && this.root.isConnected) this.setStateValue("draft", structuredClone(this.values));
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.patience);
    this.stopKeys();
  }
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".review");
  const shown = `${data.scan} ${data.version} ${data.round}`;
  const form = root.octaudit;
  if (form?.shown === shown) {
    Object.assign(form, { setStateValue: component.setStateValue, setTriggerValue: component.setTriggerValue });
    form.showSaved(data.saved);
    return;
  }
  form?.close();
  if (!form) keepTyping(root);
  root.dataset.scan = data.scan; // says whose form is drawn
  root.octaudit = Object.assign(new Form(root, component), { shown });
}
