// Says on an open page that its session has ended elsewhere or by itself, and covers what the page still shows: Streamlit
// only loses its socket and would stand still. Loaded before Streamlit, so that every socket that it opens is watched.
(() => {
  let isSaid = false;

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
  async function ask() {
    if (isSaid) return;
    const answer = await fetch("/api/v1/session", { cache: "no-store" }).catch(() => null);
    if (answer?.status !== 401 || isSaid) return;
    isSaid = true;
    say();
  }

  window.WebSocket = class extends window.WebSocket {
    constructor(...where) {
      super(...where);
      this.addEventListener("close", ask);
    }
  };
})();
