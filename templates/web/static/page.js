// What pages do beyond being read. Every page is whole without it.
import { brushes } from "./plot.js";
import { watch } from "./live.js";
import { compare } from "./pictures.js";
import { sortable, sortRows, keys } from "./table.js";

const button = document.querySelector("#theme");
if (button) {
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Use the ${dark() ? "light" : "dark"} theme`); };
  button.hidden = false;
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  button.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("fanout-theme", theme); } catch { /* storage is off */ }
    show();
  });
}

// What is still being computed is asked for again, less and less often, and not
// while nobody sees the page.
const pending = document.querySelector("[data-reload]");
if (pending) {
  const tries = Number(new URLSearchParams(location.hash.slice(1)).get("again") || 0);
  setTimeout(function again() {
    if (document.hidden) { document.addEventListener("visibilitychange", again, { once: true }); return; }
    history.replaceState(null, "", `#again=${tries + 1}`);
    location.reload();
  }, 1000 * Number(pending.dataset.reload) * (tries + 1));
}

// A choice of columns is only said when it differs from the usual one.
for (const form of document.querySelectorAll("form.ask")) {
  const boxes = [...form.querySelectorAll("input[name=cols]")];
  const before = boxes.map(b => b.checked).join();
  form.addEventListener("submit", () => {
    const chosen = new URLSearchParams(location.search).has("cols");
    if (!chosen && boxes.map(b => b.checked).join() === before) for (const b of boxes) b.disabled = true;
    for (const e of form.elements) if (e.name && e.value === "") e.disabled = true; // those of the table, too
  });
}

for (const place of document.querySelectorAll("[data-tables] table")) sortable(place);
for (const table of document.querySelectorAll("table[data-sorts]")) sortRows(table);
for (const table of document.querySelectorAll("table[data-keys]")) keys(table);
for (const area of document.querySelectorAll("[data-plot]")) brushes(area);
for (const pair of document.querySelectorAll("[data-pictures]")) compare(pair);
for (const place of document.querySelectorAll("[data-live]")) watch(place);

// parts are what moves in a page as it is now.
async function parts(of) {
  const text = await fetch(of, { headers: { Accept: "text/html" } }).then(r => r.text()).catch(() => "");
  return new DOMParser().parseFromString(text, "text/html").querySelectorAll("[data-part]");
}

// swap puts parts in the place of those of this page, where they differ. What somebody
// has opened stays open, and the link that has the focus keeps it.
function swap(got) {
  const here = document.querySelectorAll("[data-part]");
  if (got.length !== here.length) return false;
  here.forEach((place, i) => {
    const opened = [...place.querySelectorAll("details")].map(d => d.open);
    const focused = place.contains(document.activeElement) ? [...place.querySelectorAll("a, button, summary")].indexOf(document.activeElement) : -1;
    const closed = place.cloneNode(true);
    for (const d of closed.querySelectorAll("details")) d.open = false;
    if (closed.outerHTML === got[i].outerHTML) return;
    place.replaceWith(got[i]);
    got[i].querySelectorAll("details").forEach((d, j) => { d.open = Boolean(opened[j]); });
    if (focused >= 0) got[i].querySelectorAll("a, button, summary")[focused]?.focus();
  });
  return true;
}

// A page that says how often it is to be asked for again is, while somebody sees it. One
// that has become another page is loaded.
function refresh() {
  const every = document.querySelector("[data-refresh]")?.dataset.refresh;
  if (!every) return;
  setTimeout(async function again() {
    if (document.hidden) { document.addEventListener("visibilitychange", again, { once: true }); return; }
    const got = await parts(location.href);
    if (got.length && !swap(got)) { location.reload(); return; }
    refresh();
  }, 1000 * Number(every));
}
refresh();

// A search answers as one types: what the page of the search would show takes the
// place of what is shown.
const find = document.querySelector("[data-find]");
if (find) {
  let waiting, asked = 0;
  find.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const n = ++asked, to = new URL(find.form.action);
      if (find.value.trim()) to.searchParams.set("q", find.value);
      const got = await parts(to);
      if (n !== asked || !swap(got)) return;
      history.replaceState(null, "", to);
    }, 120);
  });
}

// When a schedule is due is said as one types it; the zone is the reader's where no
// other was said.
for (const zone of document.querySelectorAll("[data-zone]")) {
  try { zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value; } catch { /* it stays */ }
}
for (const cron of document.querySelectorAll("[data-next]")) {
  const form = cron.form, out = form.querySelector("output.next"), zone = form.elements.tz;
  let waiting, asked = 0;
  const show = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const n = ++asked, to = new URL(cron.dataset.next, location.href);
      if (!cron.value.trim()) { out.textContent = ""; return; }
      to.searchParams.set("cron", cron.value);
      to.searchParams.set("tz", zone.value);
      const got = await fetch(to).then(r => r.json()).catch(() => null);
      if (n !== asked || !got) return;
      out.classList.toggle("bad", Boolean(got.error));
      out.textContent = got.error ? [got.error, got.hint].filter(Boolean).join(": ") : "Next:\n" + got.next.join("\n");
    }, 150);
  };
  cron.addEventListener("input", show);
  zone.addEventListener("input", show);
  if (cron.value) show();
}
