// Plots that choose runs: a part of an axis is a condition on its column. Where
// there is a form the condition is put into its expression, so that the address
// has it; on a page that no server answers for, the rows that it leaves out are
// hidden.

const svgOf = (name, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
};

const digits = x => String(Number(x.toPrecision(4)));

// An axis with what is chosen of it, from 0 to 1.
class Axis {
  constructor(place, plot) {
    Object.assign(this, JSON.parse(place.dataset.axis));
    this.place = place;
    this.top = Number(plot.dataset.top);
    this.bottom = Number(plot.dataset.bottom);
    this.from = 0;
    this.to = 1;
    this.brush = svgOf("rect", { class: "brush", x: -9, width: 18, y: 0, height: 0 });
    this.brush.style.display = "none";
    place.append(this.brush);
  }
  get open() { return this.from <= 0 && this.to >= 1; }
  texts() { return this.levels.filter((_, i) => (i + 0.5) / this.levels.length >= this.from && (i + 0.5) / this.levels.length <= this.to); }
  value(at) { return digits(this.low + at * (this.high - this.low)); }
  choose(from, to) {
    this.from = Math.max(0, Math.min(from, to));
    this.to = Math.min(1, Math.max(from, to));
    const y = this.bottom - this.to * (this.bottom - this.top);
    this.brush.style.display = this.open ? "none" : "";
    this.brush.setAttribute("y", y);
    this.brush.setAttribute("height", Math.max(2, (this.to - this.from) * (this.bottom - this.top)));
  }
  // condition is the expression that is true of what is chosen.
  condition() {
    if (this.open) return "";
    if (this.levels) return `${this.name} in [${this.texts().map(t => /^(true|false|null)$/.test(t) ? t : JSON.stringify(t)).join(", ")}]`;
    const all = [];
    if (this.from > 0) all.push(`${this.name} >= ${this.value(this.from)}`);
    if (this.to < 1) all.push(`${this.name} <= ${this.value(this.to)}`);
    return all.join(" and ");
  }
}

function places(path) {
  const all = new Map();
  for (const m of path.getAttribute("d").matchAll(/[ML](\d+) ([\d.]+)/g)) all.set(Number(m[1]), Number(m[2]));
  return all;
}

// brushes makes the axes of lines answer to the pointer and the keyboard.
export function brushes(area) {
  const plot = area.querySelector("svg.lines");
  if (!plot) return;
  const form = document.querySelector("form.ask:not(.axes)"), said = area.parentElement.querySelector("[data-chosen]"), hint = area.parentElement.querySelector("[data-hint]");
  const axes = [...plot.querySelectorAll(".axis")].map(place => new Axis(place, plot));
  const lines = [...plot.querySelectorAll("path[data-run]")].map(path => ({ path, at: places(path) }));
  const xOf = axis => Number(axis.place.getAttribute("transform").match(/\d+/)[0]);
  const rows = new Map([...document.querySelectorAll("tr[data-run]")].map(row => [row.dataset.run, row]));
  hint.hidden = false;
  hint.textContent = "Drag along an axis to choose runs, or use ↑ and ↓ on it (with Shift, its upper end)" + (form ? "; Enter shows them, Esc takes it back." : "; Esc takes it back.");

  const show = () => {
    let kept = 0;
    for (const { path, at } of lines) {
      const inside = axes.every(axis => {
        if (axis.open) return true;
        const y = at.get(xOf(axis)), place = (axis.bottom - y) / (axis.bottom - axis.top);
        return y !== undefined && place >= axis.from - 1e-3 && place <= axis.to + 1e-3;
      });
      kept += inside;
      path.classList.toggle("out", !inside);
      const row = rows.get(path.dataset.run);
      if (!form && row) row.hidden = !inside;
    }
    const conditions = axes.map(axis => axis.condition()).filter(Boolean);
    said.textContent = conditions.length ? `${conditions.join(" and ")}: ${kept} of ${lines.length}.` : "";
    return conditions;
  };
  const apply = () => {
    const conditions = show();
    if (!form || !conditions.length) return;
    const where = form.querySelector("[name=where]");
    where.value = (where.value.trim() ? [`(${where.value.trim()})`, ...conditions] : conditions).join(" and ");
    form.requestSubmit();
  };

  for (const axis of axes) {
    const place = axis.place, hit = place.querySelector(".hit");
    hit.classList.add("live");
    place.setAttribute("tabindex", "0");
    place.setAttribute("role", "group");
    const at = event => {
      const box = plot.getBoundingClientRect(), y = (event.clientY - box.top) * plot.viewBox.baseVal.height / box.height;
      return (axis.bottom - y) / (axis.bottom - axis.top);
    };
    hit.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      hit.setPointerCapture(event.pointerId);
      const start = at(event);
      let moved = false;
      const move = e => { moved = true; axis.choose(start, at(e)); show(); };
      hit.addEventListener("pointermove", move);
      hit.addEventListener("pointerup", () => {
        hit.removeEventListener("pointermove", move);
        if (!moved || axis.to - axis.from < 0.01) axis.choose(0, 1);
        apply();
      }, { once: true });
    });
    place.addEventListener("keydown", event => {
      const step = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key];
      if (step && event.shiftKey) axis.choose(axis.from, Math.max(axis.from, axis.to + step));
      else if (step) axis.choose(Math.min(axis.to, axis.from + step), axis.to);
      else if (event.key === "Escape") axis.choose(0, 1);
      else if (event.key === "Enter") { apply(); return; }
      else return;
      event.preventDefault();
      show();
    });
  }
  // A row and its line are shown together.
  const marks = new Map(lines.map(({ path }) => [path.dataset.run, path]));
  for (const [id, row] of rows) {
    for (const [on, off] of [["mouseenter", "mouseleave"], ["focusin", "focusout"]]) {
      row.addEventListener(on, () => marks.get(id)?.classList.add("at"));
      row.addEventListener(off, () => marks.get(id)?.classList.remove("at"));
    }
  }
}
