// Drops files, folders and zips straight to our own route with progress; the page hears of it when all are in.
const PARALLEL = 2;

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".uploader");
  if (!root) {
    root = build(parentElement);
    root.state = { queue: [], active: 0, sent: 0, rows: new Map(), creating: null };
    wire(root);
  }
  root.data = data;
  root.report = (batch) => setTriggerValue("uploaded", batch);
  root.querySelector(".limits").textContent = data.limits;
}

function build(parent) {
  const root = document.createElement("div");
  root.className = "uploader";
  root.innerHTML = `
    <div class="zone" tabindex="0" role="button" aria-label="Choose files to upload">
      <svg viewBox="0 0 24 24" width="30" height="30" aria-hidden="true"><path fill="none" stroke="currentColor"
        stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"
        d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3"/></svg>
      <p class="call">Drop files, a folder or a zip here, or <span class="choose">choose files</span></p>
      <p class="limits"></p>
      <input type="file" multiple hidden aria-hidden="true">
    </div>
    <div class="total" role="status" aria-live="polite" hidden></div>
    <ul class="files" aria-label="Uploads"></ul>`;
  parent.appendChild(root);
  return root;
}

function wire(root) {
  const zone = root.querySelector(".zone");
  const input = root.querySelector("input");
  zone.onclick = () => input.click();
  zone.onkeydown = (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); }
  };
  input.onclick = (event) => event.stopPropagation();
  input.onchange = () => { add(root, [...input.files].map((file) => ({ file, name: file.name }))); input.value = ""; };
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    add(root, await dropped(event.dataTransfer));
  };
  window.addEventListener("beforeunload", (event) => {
    if (root.isConnected && (root.state.active || root.state.queue.length)) event.preventDefault();
  });
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: folder + file.name });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const inner of part) await walk(inner, `${folder}${entry.name}/`, found);
  }
}

function add(root, items) {
  const rank = (item) => (/\.(csv|tsv)$/i.test(item.name) ? 1 : 0);  // a manifest describes files that are there
  for (const item of items.sort((a, b) => rank(a) - rank(b))) {
    const row = draw(root, item);
    if (item.file.size > root.data.max_bytes) {
      finish(row, "bad", `Larger than ${Math.round(root.data.max_bytes / 1e6)} MB. Split the zip, or export at the scan's own resolution.`);
    } else {
      root.state.queue.push({ item, row });
    }
  }
  next(root);
}

function draw(root, item) {
  const row = document.createElement("li");
  row.innerHTML = `<span class="name"></span><span class="size"></span><span class="track"><i></i></span><span class="word">waiting</span>`;
  row.querySelector(".name").textContent = item.name;
  row.querySelector(".name").title = item.name;
  row.querySelector(".size").textContent = size(item.file.size);
  root.querySelector(".files").prepend(row);
  return row;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function next(root) {
  const state = root.state;
  while (state.active < PARALLEL && state.queue.length) {
    if (/\.(csv|tsv)$/i.test(state.queue[0].item.name) && state.active) break;
    const { item, row } = state.queue.shift();
    state.active += 1;
    send(root, item, row).finally(() => {
      state.active -= 1;
      next(root);
      if (!state.active && !state.queue.length && state.sent) {
        state.sent = 0;
        root.report({ batch: root.data.batch ?? state.batch, at: Date.now() });
      }
    });
  }
  const left = state.active + state.queue.length;
  const total = root.querySelector(".total");
  total.hidden = !left;
  total.textContent = left === 1 ? "1 file on its way. Please keep this page open." : `${left} files on their way. Please keep this page open.`;
}

async function send(root, item, row) {
  try {
    const batch = await ensureBatch(root);
    const answer = await put(root, batch, item, row);
    root.state.sent += 1;
    if (root.data.target) concludeMasks(row, answer); else conclude(row, answer);
  } catch (error) {
    finish(row, "bad", error.message);
  }
}

async function ensureBatch(root) {
  if (root.data.target || root.data.batch) return root.data.batch;
  if (!root.state.creating) {
    root.state.creating = fetch(`${root.data.api}/batches`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Octaudit-CSRF": root.data.csrf },
      body: JSON.stringify({ study: root.data.study, site: root.data.site }),
    }).then(async (response) => {
      const body = await response.json();
      if (!response.ok) { root.state.creating = null; throw new Error(`${body.message} ${body.remedy}`); }
      root.state.batch = body.id;
      return body.id;
    });
  }
  return root.state.creating;
}

function put(root, batch, item, row) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const place = root.data.target ?? `batches/${batch}`;
    request.open("PUT", `${root.data.api}/${place}/files?name=${encodeURIComponent(item.name)}`);
    request.setRequestHeader("X-Octaudit-CSRF", root.data.csrf);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    const bar = row.querySelector("i");
    const word = row.querySelector(".word");
    request.upload.onprogress = (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : 0;
      bar.style.width = `${100 * share}%`;
      word.textContent = share < 1 ? `${Math.floor(100 * share)} %` : "reading";
    };
    request.onload = () => {
      let body = {};
      try { body = JSON.parse(request.responseText); } catch { /* a proxy's own page */ }
      if (request.status < 300) resolve(body);
      else reject(new Error(body.message ? `${body.message} ${body.remedy}` : `The server answered ${request.status}. Try again; if it stays so, tell your administrator.`));
    };
    request.onerror = () => reject(new Error("The connection was lost. Drop the file again; nothing of it was kept."));
    request.send(item.file);
  });
}

function conclude(row, answer) {
  const problems = [...answer.files.flatMap((file) => file.problems), ...answer.manifests.flatMap((table) => table.problems)];
  const faulty = answer.files.filter((file) => file.problems.some((problem) => problem.is_blocking)).length;
  if (answer.files.length > 1) {
    finish(row, faulty ? "warn" : "good", faulty ? `${answer.files.length} files, ${faulty} with a fault` : `${answer.files.length} files received`);
  } else if (answer.manifests.length && !answer.files.length) {
    const matched = answer.manifests.reduce((sum, table) => sum + table.matched, 0);
    finish(row, problems.length ? "warn" : "good", `table: ${matched} files described` + (problems.length ? `. ${problems[0].message}` : ""));
  } else {
    finish(row, faulty ? "warn" : "good", faulty ? problems[0].message : "received");
  }
}

function concludeMasks(row, answer) {  // nothing else on the page says which masks were not taken
  const refused = answer.files.filter((file) => file.problems.length);
  const taken = answer.files.length - refused.length;
  const words = `${taken} ${taken === 1 ? "mask" : "masks"} taken`;
  if (!refused.length) { finish(row, "good", answer.files.length ? words : "It holds no PNG."); return; }
  const named = refused.slice(0, 10).map((file) => `${file.name}: ${file.problems[0].message} ${file.problems[0].remedy}`);
  const more = refused.length > named.length ? ` And ${refused.length - named.length} more.` : "";
  finish(row, "bad", `${words}, ${refused.length} not. ${named.join(" ")}${more}`);
}

function finish(row, tone, words) {
  row.className = tone;
  row.querySelector("i").style.width = "100%";
  row.querySelector(".word").textContent = words;
  row.querySelector(".word").title = words;
}
