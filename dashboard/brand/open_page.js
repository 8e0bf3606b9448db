// Looks after an open page: its connection and its history. Loaded before Streamlit, whose sockets and steps it watches.
// - A session that has ended elsewhere or by itself is said, and what the page still shows is covered.
// - A page whose connection Streamlit has given up, or does not take up again although the server answers, is loaded anew:
//   Streamlit would stand still under a message for its own developers.
// - A step from page to page is one entry of the browser's history. Streamlit makes two: the new page's query at the old
//   page, then the new page. Back would lead to the old page with a query that is not its own.
(() => {
  const PATIENCE_MS = 5000; // Streamlit asks a server that answers for a new socket sooner than this
  const SPARE_MS = 60_000; // no page is loaded anew twice within this time: what ends it at once would end it again
  const LOADED_AT = "octaudit.loaded-anew-at";
  let isSaid = false;
  const open = new Set();

  function element(name, text, marks = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [mark, value] of Object.entries(marks)) made.setAttribute(mark, value);
    return made;
  }

  function say() {
    const back = encodeURIComponent(location.pathname + location.search);
    const dialog = element("dialog", "", { class: "octa-signed-out", "aria-labelledby": "octa-signed-out" });
    dialog.append(
      element("h2", "You were signed out", { id: "octa-signed-out" }),
      element("p", "Your session was ended elsewhere, your account was disabled, or nothing happened for a while. " +
        "What you saved is kept."),
      element("a", "Sign in again", { href: `/login?next=${back}` }),
    );
    const frame = document.querySelector('[data-testid="stApp"]') ?? document.body;
    const { colorScheme, fontFamily } = getComputedStyle(frame);
    Object.assign(dialog.style, { colorScheme, fontFamily });
    document.body.append(dialog);
    dialog.addEventListener("close", () => dialog.showModal()); // Escape does not bring a dead page back
    // Streamlit asks beneath whether its server still runs, and makes everything beside that question inert.
    const free = () => { dialog.inert = false; dialog.removeAttribute("aria-hidden"); };
    new MutationObserver(free).observe(dialog, { attributes: true, attributeFilter: ["inert", "aria-hidden"] });
    dialog.showModal();
  }

  // A socket also closes because the server starts anew or the computer slept: then the session may well be live.
  const session = () => fetch("/api/v1/session", { cache: "no-store" }).catch(() => null);

  async function ask() {
    if (isSaid) return;
    const answer = await session();
    if (isSaid) return;
    if (answer?.status === 401) {
      isSaid = true;
      say();
    } else setTimeout(takeUp, PATIENCE_MS);
  }

  async function takeUp() {
    const isLoadedJustNow = Date.now() - Number(sessionStorage.getItem(LOADED_AT) ?? 0) < SPARE_MS;
    if (open.size > 0 || isSaid || isLoadedJustNow) return;
    const answer = await session();
    if (open.size > 0) return;
    if (!answer?.ok) return void ask(); // the server is away still, or the session has ended meanwhile
    sessionStorage.setItem(LOADED_AT, String(Date.now()));
    location.reload();
  }

  const STEP_MS = 2000; // from the query to the page
  const push = history.pushState.bind(history);
  let queried = null; // when, and to which query, the page was given another one
  history.pushState = (state, title, url) => {
    const [now, next] = [location.href, new URL(url ?? "", location.href)];
    const isSamePage = next.pathname === location.pathname;
    const isHalf = !isSamePage && queried?.search === next.search && Date.now() - queried.at < STEP_MS;
    if (isHalf || next.href === now) history.replaceState(state, title, url);
    else push(state, title, url);
    queried = isSamePage ? { search: next.search, at: Date.now() } : null;
  };
  addEventListener("popstate", () => { queried = null; });

  window.WebSocket = class extends window.WebSocket {
    constructor(...where) {
      super(...where);
      open.add(this);
      this.addEventListener("close", () => {
        open.delete(this);
        ask();
      });
    }
  };
})();
