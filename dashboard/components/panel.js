// Shows our own escaped markup, opens its page links in place without loading the program again, saves charts as files.
const PNG_SCALE = 2; // twice the screen's resolution is enough for print at the width of a column

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// A picture on its own knows no font of the page: the chart's is written into it, else words are cut off.
async function pageFont(svg) {
  const family = getComputedStyle(svg.querySelector("text") ?? svg).fontFamily.split(",")[0].replaceAll('"', "").trim();
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const face = rules.find((rule) => rule instanceof CSSFontFaceRule && rule.style.fontStyle !== "italic" &&
    rule.style.getPropertyValue("font-family").replaceAll('"', "").trim() === family);
  const address = face?.style.getPropertyValue("src").match(/url\("?([^")]+)"?\)/)?.[1];
  if (!address) return "";
  const answer = await fetch(new URL(address, face.parentStyleSheet.href ?? document.baseURI));
  const reader = new FileReader();
  reader.readAsDataURL(await answer.blob());
  await new Promise((done) => { reader.onload = done; });
  return `@font-face { font-family: "${family}"; font-weight: 200 900; src: url(${reader.result}); }`;
}

async function saveChart({ save, chart, name }) {
  const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
  const svg = charts.find((each) => each.getAttribute("aria-label") === chart)?.querySelector("svg.marks");
  if (!svg) return;
  const copy = svg.cloneNode(true);
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = await pageFont(svg);
  copy.prepend(style);
  const blob = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  if (save === "svg") return download(blob, `${name}.svg`);
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = svg.width.baseVal.value * PNG_SCALE;
  canvas.height = svg.height.baseVal.value * PNG_SCALE;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((png) => download(png, `${name}.png`), "image/png");
}

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
    const saved = event.target.closest("a[data-save]");
    if (saved) {
      event.preventDefault();
      saveChart(saved.dataset);
      return;
    }
    const link = event.target.closest("a[data-page]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    setTriggerValue("opened", link.getAttribute("href"));
  };
}
