// The bar above a scan: previous and next of the list, undo, the sample's marks, and the keys of the page.
const PATIENCE_MS = 5000; // an answer that takes longer is lost: the keys work again

function button(words, key, act, { tone = "", isPossible = true } = {}) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = `do ${tone}`;
  element.disabled = !isPossible;
  element.onclick = act;
  const cap = document.createElement("kbd");
  cap.textContent = key;
  element.append(words, cap);
  return element;
}

function draw(root, data, ask) {
  const keys = {};
  const offer = (words, key, message, options = {}) => {
    if (options.isPossible !== false) keys[key] = () => ask(message);
    return button(words, key, () => ask(message), options);
  };
  const walk = [];
  if (data.list) {
    const { name, number, total, previous, next, back } = data.list;
    const place = document.createElement("span");
    place.className = "place";
    const strong = document.createElement("b");
    strong.textContent = number === null ? `${total} left` : `${number} of ${total}`;
    place.append(strong, ` · ${name}`);
    walk.push(
      offer("← Previous", "p", { go: previous }, { isPossible: Boolean(previous) }), place,
      offer("Next →", "n", { go: next }, { isPossible: Boolean(next) }), offer("Back to the list", "w", { go: back }),
    );
  }
  const rest = [];
  if (data.sample) {
    rest.push(
      offer("Agree", "y", { mark: "agree" }, { tone: data.sample.mark === "agree" ? "good" : "" }),
      offer("Disagree", "x", { mark: "disagree" }, { tone: data.sample.mark === "disagree" ? "bad" : "" }),
    );
  }
  if (data.undo) rest.push(offer(`Undo: ${data.undo.words}`, "u", { undo: data.undo.id }));
  const help = root.querySelector(".help");
  const toggle = () => (help.open ? help.close() : help.showModal());
  rest.push(button("Keys", "?", toggle));
  keys["?"] = toggle;
  root.querySelector(".walk").replaceChildren(...walk);
  root.querySelector(".rest").replaceChildren(...rest);
  help.querySelector("button").onclick = () => help.close();
  help.querySelector("dl").replaceChildren(...data.keys.flatMap(([key, words]) => {
    const [term, meaning] = [document.createElement("dt"), document.createElement("dd")];
    for (const one of key.split(" ")) {
      const cap = document.createElement("kbd");
      cap.textContent = one;
      term.append(cap, " ");
    }
    meaning.textContent = words;
    return [term, meaning];
  }));
  return listenForKeys(root, "bar", keys);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".walkbar");
  const shown = JSON.stringify(data);
  if (root.octaudit?.shown === shown) return;
  root.octaudit?.stop();
  endAsking();
  const ask = (message) => { if (mayAsk(PATIENCE_MS)) setTriggerValue("asked", { ...message, at: data.scan }); };
  root.octaudit = { shown, stop: draw(root, data, ask) };
}
