// Single keys for a page: never while somebody types, never with a modifier, and before the page's own shortcuts.
function isTyping(event) {
  const [target] = event.composedPath();
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable]:not([contenteditable='false'])")) return true;
  const field = target.closest("input");
  return Boolean(field) && !["checkbox", "radio", "button", "range"].includes(field.type);
}

// Take the cursor out of ``root``: what stays on the page while the next one is made would swallow that one's keys.
function leaveField(root) {
  const focused = root.getRootNode().activeElement;
  if (focused && root.contains(focused)) focused.blur();
}

// One question to the server at a time, whichever part of the page asks it: the next one would be about a scan that is
// on its way out, and a question of the bar makes Streamlit forget a decision that it has not heard yet.
const isAsking = () => Date.now() < (window.octauditAnswerBy ?? 0);
function mayAsk(patienceMs) {
  if (isAsking()) return false;
  window.octauditAnswerBy = Date.now() + patienceMs;
  return true;
}
function endAsking() { window.octauditAnswerBy = 0; }

// Whether the image of this scan is on the page: the viewer says so, and ``octaudit:seen`` when that changes.
const isSeen = (scan) => window.octauditViewer?.seen === scan;

// ``handlers``: key -> function. Of each ``group`` the latest on the page takes the keys: while the next page is being
// made, what stood on the last one is still there. Ends by itself once ``root`` has left the page, because Streamlit
// forgets what a component returned for its end as soon as it is called again. Returns how to end it before.
function listenForKeys(root, group, handlers) {
  const groups = (window.octauditKeys ??= {});
  const own = { root };
  const listen = (event) => {
    if (!root.isConnected) { stop(); return; }
    if (groups[group].filter((each) => each.root.isConnected).at(-1) !== own) return;
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
  const stop = () => {
    groups[group] = groups[group].filter((each) => each !== own);
    for (const kind of kinds) window.removeEventListener(kind, listen, true);
  };
  for (const older of groups[group] ?? []) leaveField(older.root);
  groups[group] = [...(groups[group] ?? []), own];
  for (const kind of kinds) window.addEventListener(kind, listen, true);
  return stop;
}

// What is typed in a field of ours stays there: behind a shadow root the page takes the field for plain text.
function keepTyping(root) {
  for (const kind of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(kind, (event) => { if (isTyping(event)) event.stopPropagation(); });
  }
}
