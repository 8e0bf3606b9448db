// Reads one small table in the browser and hands its bytes to the page; nothing is stored on the way.
export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".uploader");
  if (!root) root = build(parentElement);
  root.querySelector(".call").firstChild.textContent = `${data.call} `;
  root.querySelector(".zone").setAttribute("aria-label", data.call);
  root.take = async (file) => {
    const word = root.querySelector(".limits");
    if (!file) return;
    if (file.size > data.maxBytes) {
      word.textContent = `${file.name} is larger than ${data.maxBytes / 1e6} MB.`;
      return;
    }
    word.textContent = file.name;
    setTriggerValue("chosen", { name: file.name, content: await encoded(file) });
  };
}

function build(parent) {
  const root = document.createElement("div");
  root.className = "uploader";
  root.innerHTML = `
    <div class="zone" tabindex="0" role="button">
      <p class="call"> <span class="choose">choose it</span></p>
      <p class="limits" role="status" aria-live="polite"></p>
      <input type="file" accept=".csv,.tsv,.txt,text/csv" hidden aria-hidden="true">
    </div>`;
  root.querySelector(".call").prepend(document.createTextNode(""));
  parent.appendChild(root);
  const zone = root.querySelector(".zone");
  const input = root.querySelector("input");
  zone.onclick = () => input.click();
  zone.onkeydown = (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); }
  };
  input.onclick = (event) => event.stopPropagation();
  input.onchange = () => { root.take(input.files[0]); input.value = ""; };
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    root.take(event.dataTransfer.files[0]);
  };
  return root;
}

function encoded(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
