// A network that reads a digit you draw. value = {weights: {w1, b1, w2, b2}, examples: [[label, [64 counts]]...], first: index}:
//   w1 [64 rows of n_hidden], b1 [n_hidden], w2 [n_hidden rows of 10], b2 [10];  counts are 0 to 16
// Forward: x -> x @ w1 + b1 -> relu -> @ w2 + b2 -> softmax. Backward: the slopes of one answer's logit less another's, in every pixel.
function mount(root, value, live) {
  const { w1, b1, w2, b2 } = value.weights;
  const SIDE = 32, BLOCK = 4, PEN = 1.6; // dots of the board, dots of a block, half the width of a stroke

  function forward(x) {
    const hidden = b1.map((b, j) => x.reduce((sum, v, i) => sum + v * w1[i][j], b));
    const logits = b2.map((b, k) => hidden.reduce((sum, h, j) => sum + Math.max(h, 0) * w2[j][k], b));
    const most = Math.max(...logits), exps = logits.map((z) => Math.exp(z - most)), total = exps.reduce((a, b) => a + b, 0);
    return { x, hidden, logits, probs: exps.map((e) => e / total) };
  }
  // Back from logit `a` less logit `b`: through w2, through the ReLU where it was open, through w1.
  function backward({ hidden }, a, b) {
    const g = hidden.map((h, j) => (h > 0 ? w2[j][a] - w2[j][b] : 0));
    return w1.map((row) => row.reduce((sum, w, j) => sum + w * g[j], 0));
  }

  const named = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;

  // The board: strokes as points, drawn with a round pen on 32 × 32 dots; each block of 4 × 4 dots is counted.
  let strokes = [], counts = null, label = null;
  const near = (px, py, [ax, ay], [bx, by]) => {
    const [dx, dy] = [bx - ax, by - ay], long = dx * dx + dy * dy;
    const t = long ? Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / long)) : 0;
    return Math.hypot(px - ax - t * dx, py - ay - t * dy) <= PEN;
  };
  function dots() {
    const on = [];
    for (let y = 0; y < SIDE; y += 1)
      for (let x = 0; x < SIDE; x += 1)
        on.push(strokes.some((s) => s.some((p, k) => near(x + 0.5, y + 0.5, s[Math.max(k - 1, 0)], p))));
    return on;
  }
  const count = (on) => Array.from({ length: 64 }, (_, cell) => {
    let n = 0;
    for (let k = 0; k < 16; k += 1) n += on[(Math.floor(cell / 8) * BLOCK + Math.floor(k / 4)) * SIDE + (cell % 8) * BLOCK + (k % 4)];
    return n;
  });
  // The digits of the data fill the board from top to bottom, whatever size they were written: so does yours when you lift the pen.
  function fit() {
    const points = strokes.flat(), xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const size = Math.max(right - left, bottom - top);
    if (size < 3) return;
    const scale = (SIDE - 2 * PEN - 0.4) / size, [cx, cy] = [(left + right) / 2, (top + bottom) / 2];
    strokes = strokes.map((s) => s.map(([x, y]) => [SIDE / 2 + (x - cx) * scale, SIDE / 2 + (y - cy) * scale]));
  }

  const board = live.svg("svg", { viewBox: "0 0 32 32", class: "reader-board", role: "img", "aria-label": "Drawing board. Draw a digit with mouse or finger, or choose one of the digits below." });
  const ground = live.svg("rect", { class: "reader-ground", width: 32, height: 32 });
  const ink = live.svg("path", { class: "reader-ink" });
  const greys = live.svg("g", {});
  const grid = live.svg("path", { class: "reader-grid", d: [4, 8, 12, 16, 20, 24, 28].map((v) => `M${v} 0V32M0 ${v}H32`).join("") });
  const invite = live.svg("text", { class: "reader-invite", x: 16, y: 17, "text-anchor": "middle" }, "draw a digit");
  board.append(ground, greys, ink, grid, invite);
  const cells = (group, paint) => group.replaceChildren(...Array.from({ length: 64 }, (_, i) =>
    live.svg("rect", { x: (i % 8) * 4, y: Math.floor(i / 8) * 4, width: 4, height: 4, ...paint(i) })));

  const seen = live.svg("svg", { viewBox: "0 0 32 32", class: "reader-seen", role: "img" });
  const seenCells = live.svg("g", {});
  const numbers = live.svg("g", { class: "reader-numbers" });
  seen.append(live.svg("rect", { class: "reader-ground", width: 32, height: 32 }), seenCells, numbers, grid.cloneNode());

  const bars = Array.from({ length: 10 }, (_, k) => {
    const fill = live.el("span", { class: "reader-fill" }), text = live.el("span", { class: "reader-percent" });
    const button = live.el("button", { type: "button", class: "reader-bar", onclick: () => { rival = k; draw(); } },
      live.el("b", {}, String(k)), live.el("span", { class: "reader-track" }, fill), text);
    return { button, fill, text };
  });
  const answer = live.el("p", { class: "reader-answer", role: "status" });
  const why = live.el("p", { class: "reader-why" });
  let rival = null, back = false, now = null;

  const backButton = live.el("button", { type: "button", "aria-pressed": "false", onclick: () => { back = !back; draw(); } }, "Walk back: which pixels speak for it?");
  const clear = live.button("Clear", () => { strokes = []; counts = null; label = null; rival = null; draw(); });
  const picks = value.examples.map(([digit, pixels], i) => {
    const icon = live.svg("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" });
    const g = live.svg("g", {});
    icon.append(live.svg("rect", { class: "reader-ground", width: 32, height: 32 }), g);
    cells(g, (k) => ({ class: "reader-grey", "fill-opacity": (pixels[k] / 16).toFixed(2) }));
    return live.el("button", { type: "button", class: "reader-pick", "aria-label": `${named(digit)} from the data`, onclick: () => pick(i) }, icon);
  });
  function pick(i) {
    [label, counts] = value.examples[i];
    strokes = [];
    rival = null;
    draw();
  }

  const percent = (p) => (p >= 0.9995 ? "> 99.9 %" : p < 0.0005 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);
  function draw() {
    const on = strokes.length ? dots() : null;
    if (on) counts = count(on);
    invite.setAttribute("visibility", counts ? "hidden" : "visible");
    ink.setAttribute("d", on ? on.map((dot, i) => (dot ? `M${i % SIDE} ${Math.floor(i / SIDE)}h1v1h-1z` : "")).join("") : "");
    cells(greys, (i) => ({ class: "reader-grey", "fill-opacity": counts && !on ? (counts[i] / 16).toFixed(2) : 0 }));
    now = forward((counts ?? Array(64).fill(0)).map((c) => c / 16));
    const order = now.probs.map((p, k) => k).sort((a, b) => now.logits[b] - now.logits[a]);
    const best = order[0], other = rival === null || rival === best ? order[1] : rival;
    root.dataset.best = best;
    root.dataset.probs = now.probs.map((p) => p.toFixed(5)).join(" ");
    bars.forEach(({ button, fill, text }, k) => {
      const p = counts ? now.probs[k] : 0;
      fill.style.width = `${(100 * p).toFixed(1)}%`;
      text.textContent = counts ? percent(p) : "";
      button.classList.toggle("reader-best", Boolean(counts) && k === best);
      button.setAttribute("aria-pressed", String(Boolean(counts) && back && k === other));
      button.setAttribute("aria-label", counts ? `${k}: ${percent(p)}; compare with it` : `${k}`);
      button.disabled = !counts;
    });
    answer.textContent = !counts ? "Ten answers wait for a digit." :
      `The network reads ${best} (${percent(now.probs[best])})` + (label === null ? "." : best === label ? ", which is right." : `, but it is ${named(label)}.`);
    backButton.disabled = !counts;
    backButton.setAttribute("aria-pressed", String(back));
    const slopes = back && counts ? backward(now, best, other) : null;
    root.dataset.slopes = slopes ? slopes.map((s) => s.toFixed(5)).join(" ") : "";
    const largest = slopes ? Math.max(...slopes.map(Math.abs)) : 1;
    cells(seenCells, (i) => slopes ?
      { class: slopes[i] > 0 ? "reader-for" : "reader-against", "fill-opacity": (Math.abs(slopes[i]) / largest).toFixed(2) } :
      { class: "reader-grey", "fill-opacity": counts ? (counts[i] / 16).toFixed(2) : 0 });
    numbers.replaceChildren(...(counts ? counts.map((c, i) => {
      const dark = slopes ? Math.abs(slopes[i]) > 0.6 * largest : c > 8;
      return live.svg("text", { x: (i % 8) * 4 + 2, y: Math.floor(i / 8) * 4 + 2.75, "text-anchor": "middle", class: dark ? "reader-on-dark" : "" }, String(c));
    }) : []));
    seen.setAttribute("aria-label", slopes ? `The slope of answer ${best} against answer ${other} in each of the 64 pixels.` : "What the network sees: 64 counts from 0 to 16.");
    if (!slopes) why.textContent = counts ? "What the network sees: how many of the 16 dots of each block are inked." : "";
    else {
      const parts = slopes.map((s, i) => s * now.x[i]), speak = (sign) => parts.filter((p) => p * sign > 0).reduce((a, b) => a + b, 0);
      why.replaceChildren(`One walk back through the network gives 64 slopes. Ink on `, live.el("b", { class: "reader-blue" }, "blue"), ` speaks for ${best}, ink on `,
        live.el("b", { class: "reader-orange" }, "orange"), ` for ${other}. The ink that is there adds ${speak(1).toFixed(1)} for ${best} and ${(-speak(-1)).toFixed(1)} for ${other}. Press another answer to compare with it.`);
    }
  }

  // Drawing: by mouse, pen or finger. The page does not scroll under a finger that draws.
  const at = (event) => {
    const box = board.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  let drawing = null, lifted = 0;
  board.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    if (!strokes.length || Date.now() - lifted > 1500) strokes = []; // a new digit; soon after the last stroke, one more stroke of it
    label = null;
    rival = null;
    drawing = [at(event)];
    strokes.push(drawing);
    board.setPointerCapture(event.pointerId);
    draw();
  });
  board.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const [p, last] = [at(event), drawing[drawing.length - 1]];
    if (Math.hypot(p[0] - last[0], p[1] - last[1]) < 0.5) return;
    drawing.push(p);
    draw();
  });
  const lift = () => {
    if (!drawing) return;
    drawing = null;
    lifted = Date.now();
    draw();
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!drawing && strokes.length) { fit(); draw(); } }, 900);
  };
  let waiting = 0;
  board.addEventListener("pointerup", lift);
  board.addEventListener("pointercancel", lift);

  root.append(
    live.el("div", { class: "reader-row" },
      live.el("div", { class: "reader-part" }, board, live.el("div", { class: "live-controls" }, clear)),
      live.el("div", { class: "reader-part" }, seen),
      live.el("div", { class: "reader-part reader-answers" }, answer, ...bars.map((b) => b.button))),
    live.el("div", { class: "live-controls" }, backButton), why,
    live.el("div", { class: "reader-picks", role: "group", "aria-label": "digits from the data, which the network has not learned from" }, ...picks));
  pick(value.first ?? 0);
}
