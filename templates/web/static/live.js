// Live updates: one stream a page, closed while nobody sees it. Text is put
// into the page as text.

const bound = (place, name) => place.querySelector(`[data-bind="${name}"]`);
const svg = (name, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
};

function drawBar(place, parts) {
  const bar = svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });
  bar.setAttribute("aria-label", parts.map(p => `${p.n} ${p.status.replaceAll("_", " ")}`).join(", "));
  for (const p of parts) bar.append(svg("rect", { class: p.status.replaceAll("_", "-"), x: p.from, y: 0, width: p.wide, height: 10 }));
  place.replaceChildren(bar);
}

const since = time => {
  const s = Math.max(0, Math.round((Date.now() - new Date(time)) / 1000));
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
};

function onSweep(place, state) {
  const headline = bound(place, "headline");
  if (!headline) return;
  headline.textContent = state.headline;
  const does = bound(place, "does");
  if (does) does.textContent = state.does || "";
  drawBar(bound(place, "bar"), state.bar || []);
  for (const step of state.steps || []) {
    const row = [...place.querySelectorAll("[data-step]")].find(r => r.dataset.step === step.step);
    if (!row) continue;
    drawBar(bound(row, "bar"), step.bar || []);
    bound(row, "words").textContent = step.words;
    bound(row, "blocked").textContent = step.blocked || "";
  }
  const words = [];
  if (state.state === "running") words.push("Running", state.holder && `held by ${state.holder}`, state.left && `about ${state.left} left`);
  bound(place, "progress").textContent = words.filter(Boolean).join(", ") + (words.length ? "." : "");
  const list = bound(place, "running"), running = state.running || [];
  bound(place, "running-section").hidden = !running.length;
  list.replaceChildren(...running.map(run => {
    const item = document.createElement("li"), link = document.createElement("a"), more = document.createElement("span");
    link.href = `${location.pathname.replace(/\/$/, "")}/runs/${run.id}`;
    link.textContent = run.name;
    more.className = "faint";
    more.textContent = ` for ${since(run.since)}${run.cells ? `, cell ${run.cell} of ${run.cells}` : ""}${run.where ? `, on ${run.where}` : ""}`;
    item.append(link, more);
    return item;
  }));
  bound(place, "news").hidden = state.version === place.dataset.version;
}

function onRun(place, state) {
  const prints = bound(place, "prints");
  if (!prints || !state) return;
  if (state.status !== "running") { location.reload(); return; }
  const end = prints.scrollHeight - prints.scrollTop - prints.clientHeight < 40;
  prints.textContent = (state.cut ? "…\n" : "") + state.text;
  if (state.cells) bound(place, "cell").textContent = `Cell ${state.cell} of ${state.cells}`;
  if (end) prints.scrollTop = prints.scrollHeight;
}

// watch keeps a part of the page up to date.
export function watch(place) {
  let stream = null;
  const open = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(place.dataset.live);
    stream.addEventListener("sweep", e => onSweep(place, JSON.parse(e.data)));
    stream.addEventListener("run", e => onRun(place, JSON.parse(e.data)));
  };
  const close = () => { stream?.close(); stream = null; };
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  open();
}
