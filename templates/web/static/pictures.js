// Two pictures of one cell: side by side, one over the other with a border that
// moves, or what differs between them alone.

const ways = [["side", "Side by side"], ["swipe", "Swipe"], ["difference", "Difference"]];
let asked = "side"; // the next pair is shown as the last one was

// compare gives a pair of pictures the choice of how it is shown.
export function compare(pair) {
  const bar = document.createElement("p");
  bar.className = "ways";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "How the pictures are compared");
  const border = document.createElement("input");
  Object.assign(border, { type: "range", min: 0, max: 100, value: 50, hidden: true });
  border.setAttribute("aria-label", "Where the first picture ends");
  border.addEventListener("input", () => pair.style.setProperty("--border", border.value + "%"));
  const buttons = ways.map(([way, words]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => show(way));
    bar.append(button);
    return button;
  });
  const show = way => {
    asked = way;
    pair.dataset.pictures = way;
    border.hidden = way !== "swipe";
    ways.forEach(([name], i) => buttons[i].setAttribute("aria-pressed", String(name === way)));
  };
  pair.before(bar);
  pair.after(border);
  show(asked);
}
