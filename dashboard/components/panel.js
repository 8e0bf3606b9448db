// Shows our own escaped markup and opens its page links in place, without loading the program again.
export default function ({ data, parentElement, setTriggerValue }) {
  let panel = parentElement.querySelector(".panel");
  if (!panel) {
    panel = document.createElement("div");
    panel.className = "panel";
    parentElement.appendChild(panel);
  }
  if (panel.dataset.shown !== data.html) {
    panel.innerHTML = data.html;
    panel.dataset.shown = data.html;
  }
  panel.onclick = (event) => {
    const link = event.target.closest("a[data-page]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    setTriggerValue("opened", link.getAttribute("href"));
  };
}
