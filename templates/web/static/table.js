// Tables that are read with the keyboard, and small ones that sort in place.

const value = cell => {
  const text = cell ? cell.textContent.trim() : "", number = parseFloat(text.replace("−", "-").replace("∞", "Infinity"));
  return Number.isNaN(number) ? text : number;
};

// sortable makes a table of a document one of ours.
export function sortable(table) {
  const wrap = document.createElement("div");
  wrap.className = "scroll";
  wrap.tabIndex = 0; // whoever has no mouse scrolls it, too
  wrap.setAttribute("role", "group");
  wrap.setAttribute("aria-label", "table");
  table.classList.add("data");
  table.replaceWith(wrap);
  wrap.append(table);
  sortRows(table);
}

// sortRows makes the heads of a table buttons that sort its rows.
export function sortRows(table) {
  const body = table.tBodies[0];
  if (!body || !table.tHead || body.rows.length < 3) return;
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...[...body.rows].sort((a, b) => {
        const x = value(a.cells[i]), y = value(b.cells[i]);
        return sign * (typeof x === typeof y ? (x > y) - (x < y) : typeof x === "number" ? -1 : 1);
      }));
    });
  });
}

// keys moves through the rows of a table with j, k and the arrows once one of
// its links has the focus; Enter follows the link, as always.
export function keys(table) {
  const links = () => [...table.tBodies[0].rows].map(r => r.querySelector("a")).filter(Boolean);
  table.addEventListener("keydown", event => {
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = links(), at = all.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, at + step))].focus();
  });
}
