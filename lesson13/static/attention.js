// Which earlier letters each letter looks at. value = {text, heads: [{name, rows: [[weight...]...]}...], at}:
//   rows[i] has i + 1 weights that sum to 1: how much letter i takes from letters 0 to i
function mount(root, value, live) {
  const letters = [...value.text], n = letters.length;
  let head = 0, at = value.at ?? n - 1;
  const shown = (letter) => (letter === " " ? "␣" : letter);

  // The line of letters: point at one, tap it, or go to it with the arrow keys.
  const line = live.el("div", { class: "attention-line", role: "slider", tabindex: 0, "aria-label": "letter", "aria-valuemin": 1, "aria-valuemax": n });
  const spans = letters.map((letter, i) => live.el("span", { class: "attention-letter", onpointerenter: () => go(i), onpointerdown: () => go(i) }, shown(letter)));
  line.append(...spans);
  line.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: n - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(Math.min(n - 1, Math.max(0, to)));
  });

  // The grid: a row for each letter that looks, a column for each letter looked at.
  const cell = 10, side = n * cell;
  const grid = live.svg("svg", { viewBox: `-14 -14 ${side + 16} ${side + 16}`, class: "attention-grid", "aria-hidden": "true" });
  const squares = live.svg("g", {}), mark = live.svg("rect", { class: "attention-mark", height: cell, x: 0 });
  letters.forEach((letter, i) => grid.append(
    live.svg("text", { x: -3, y: i * cell + 8, "text-anchor": "end" }, shown(letter)),
    live.svg("text", { x: i * cell + 5, y: -4, "text-anchor": "middle" }, shown(letter))));
  grid.append(squares, mark);
  grid.addEventListener("pointermove", (event) => {
    const box = grid.getBoundingClientRect(), y = ((event.clientY - box.top) / box.height) * (side + 16) - 14;
    if (y >= 0 && y < side) go(Math.floor(y / cell));
  });
  const words = live.el("p", { class: "live-readout attention-words", role: "status" });
  const buttons = value.heads.map((h, k) => live.el("button", { type: "button", onclick: () => { head = k; paint(); } }, h.name));

  function paint() {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === head)));
    squares.replaceChildren(...value.heads[head].rows.flatMap((row, i) => row.map((w, j) =>
      live.svg("rect", { class: "attention-cell", x: j * cell, y: i * cell, width: cell, height: cell, "fill-opacity": w }))));
    go(at);
  }
  function go(i) {
    at = i;
    const row = value.heads[head].rows[at];
    const most = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, 3).filter((j) => row[j] >= 0.05);
    spans.forEach((span, j) => {
      span.classList.toggle("attention-at", j === at);
      span.style.setProperty("--weight", `${Math.round(100 * (row[j] ?? 0))}%`);
    });
    mark.setAttribute("y", at * cell);
    mark.setAttribute("width", (at + 1) * cell);
    line.setAttribute("aria-valuenow", at + 1);
    line.setAttribute("aria-valuetext", `${at + 1}: ${shown(letters[at])}`);
    root.dataset.at = at;
    words.textContent = `Letter ${at + 1}, “${shown(letters[at])}”, takes ` +
      most.map((j) => `${Math.round(100 * row[j])} % from “${shown(letters[j])}”${j === at ? " (itself)" : at - j === 1 ? " just before it" : ` ${at - j} before it`}`).join(", ") + ".";
  }
  root.append(live.el("div", { class: "live-controls", role: "group", "aria-label": "head" }, ...buttons), line, words, live.el("div", { class: "attention-frame" }, grid));
  paint();
}
