// Single keys for a page: never while somebody types, never with a modifier, and before the page's own shortcuts.
function isTyping(event) {
  const [target] = event.composedPath();
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable]:not([contenteditable='false'])")) return true;
  const field = target.closest("input");
  return Boolean(field) && !["checkbox", "radio", "button", "range"].includes(field.type);
}

// ``handlers``: key -> function. Returns what to call when the component goes away.
function listenForKeys(handlers) {
  const listen = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const [target] = event.composedPath();
    const isTool = target instanceof HTMLCanvasElement || target?.type === "radio" || target?.type === "range";
    if (isTool && /^[0-9]$/.test(event.key)) return; // the viewer zooms with 0 and 1, a grade is chosen with 0 to 2
    const handler = handlers[event.key];
    if (!handler) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // Streamlit runs the page again on r and empties its store on c
    if (event.type === "keydown" && !event.repeat) handler();
  };
  const kinds = ["keydown", "keypress", "keyup"];
  for (const kind of kinds) window.addEventListener(kind, listen, true);
  return () => { for (const kind of kinds) window.removeEventListener(kind, listen, true); };
}

// What is typed in a field of ours stays there: behind a shadow root the page takes the field for plain text.
function keepTyping(root) {
  for (const kind of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(kind, (event) => { if (isTyping(event)) event.stopPropagation(); });
  }
}
