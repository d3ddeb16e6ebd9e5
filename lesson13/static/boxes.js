// A graph of boxes: values go forward, local slopes stand on the wires, gradients come back one step at a time.
// value = {inputs: {x: 2}, boxes: [{name: "u", op: "*", args: ["x", "w"], sign: "\u00d7"}], places: {x: [column, lane]}, detours: [null, lane], walked: 0, weights: [], rate: 0.01};
// `walked: null` is a picture of values alone, without the buttons of the walk back.
// an operand in `args` is a name or a number. The last box is the one whose gradients are wanted.
function mount(root, value, live) {
  const { boxes, places, weights, rate } = value;
  const inputs = { ...value.inputs };
  const names = [...Object.keys(inputs), ...boxes.map((b) => b.name)];
  const last = boxes[boxes.length - 1].name;
  const boxOf = Object.fromEntries(boxes.map((b) => [b.name, b]));

  // ---- the operations: the value, the local slope by each operand, and where that slope comes from ------------------------
  const minus = (text) => text.replace(/-/g, "\u2212");
  const round = (v) => (Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 5e-4) ? Number(v.toPrecision(3)) : Number(v.toFixed(3)));
  const short = (v) => minus(String(round(v) || 0));
  const inBox = (v) => minus(String((Math.abs(v) >= 1 && short(v).length > 5 ? Number(round(v).toFixed(2)) : round(v)) || 0)); // as wide as a box is
  const inside = (v) => (v < 0 ? `(${short(v)})` : short(v)); // in the middle of a product
  const gives = (v) => `${Math.abs(v - round(v)) < 1e-9 ? "=" : "\u2248"} ${short(v)}`;
  const added = (numbers) => numbers.map((v, i) => (i ? inside(v) : short(v))).join(" + ");
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const OPERATIONS = {
    "+": { sign: "+", value: (...a) => sum(a), slopes: (out, ...a) => a.map(() => 1), why: () => "a sum passes every nudge on unchanged" },
    "-": {
      sign: "\u2212", value: (a, b) => a - b, slopes: () => [1, -1],
      why: (k) => (k ? "what is subtracted pushes the other way" : "a difference passes a nudge of its first number on unchanged"),
    },
    "*": { sign: "\u00d7", value: (a, b) => a * b, slopes: (out, a, b) => [b, a], why: (k, words) => `the other factor, ${words[1 - k]}` },
    "/": {
      sign: "\u00f7", value: (a, b) => a / b, slopes: (out, a, b) => [1 / b, -a / (b * b)],
      why: (k, words) => (k ? "minus the numerator over the square of the denominator" : `one over ${words[1]}`),
    },
    "**": {
      sign: "^", value: (a, n) => a ** n, slopes: (out, a, n) => [n * a ** (n - 1)],
      why: (k, words, a) => `${short(a[1])} times ${a[1] === 2 ? words[0] : `${words[0]} to the power ${short(a[1] - 1)}`}`,
    },
    neg: { sign: "\u2212", value: (a) => -a, slopes: () => [-1], why: () => "the sign turns round" },
    relu: {
      sign: "relu", value: (a) => (a > 0 ? a : 0), slopes: (out, a) => [a > 0 ? 1 : 0],
      why: (k, words, a) => `${words[0]} is ${a[0] > 0 ? "positive, so a nudge goes through unchanged" : "not positive, so the output stays at 0 and nothing goes through"}`,
    },
    tanh: { sign: "tanh", value: Math.tanh, slopes: (out) => [1 - out * out], why: () => "one minus the square of the output" },
    exp: { sign: "exp", value: Math.exp, slopes: (out) => [out], why: () => "the output itself" },
    log: { sign: "log", value: Math.log, slopes: (out, a) => [1 / a], why: (k, words) => `one over ${words[0]}` },
  };

  // ---- the numbers --------------------------------------------------------------------------------------------------------
  const wires = boxes.flatMap((box) => box.args.flatMap((from, k) => (typeof from === "string" ? [{ from, to: box.name, k }] : [])));
  const leaving = (name) => walk.filter((w) => w.from === name);
  wires.forEach((wire, i) => { wire.detour = value.detours[i]; });
  // The walk back: first the gradient 1 of the last box, then wire after wire, from the last box to the first.
  const walk = [...boxes].reverse().flatMap((box) => wires.filter((w) => w.to === box.name));
  walk.forEach((wire, i) => { wire.step = i + 1; });
  const steps = walk.length + 1;
  let step = value.walked < 0 ? steps : Math.min(value.walked, steps);
  const forwardOnly = value.walked === null;
  let values, grads;
  let arrow = "\u25c2", side = "the right"; // where gradients go, and where they come from

  const at = (operand) => (typeof operand === "string" ? values[operand] : operand);
  const walked = (wire) => wire.step < step;
  const started = () => step > 0;
  function compute() {
    values = { ...inputs };
    for (const box of boxes) values[box.name] = OPERATIONS[box.op].value(...box.args.map(at));
    for (const wire of wires) {
      const { op, args } = boxOf[wire.to];
      wire.slope = OPERATIONS[op].slopes(values[wire.to], ...args.map(at))[wire.k];
    }
    grads = Object.fromEntries(names.map((name) => [name, name === last ? 1 : 0]));
    for (const wire of walk) {
      wire.grad = grads[wire.to] * wire.slope;
      grads[wire.from] += wire.grad;
    }
  }
  // Where the numbers of a wire come from: the boxes whose values make its local slope, and the one whose gradient arrives.
  function sources(wire) {
    const { op, args } = boxOf[wire.to];
    const slope = { "*": [args[1 - wire.k]], "/": wire.k ? args : [args[1]], "**": [args[0]], relu: [args[0]], log: [args[0]], tanh: [wire.to], exp: [wire.to] }[op];
    return [...(slope ?? []), ...(walked(wire) ? [wire.to] : [])];
  }
  // The gradient of a box as far as the walk has come; null where it has not been yet.
  function soFar(name) {
    if (name === last) return started() ? 1 : null;
    const done = leaving(name).filter(walked);
    return done.length ? sum(done.map((w) => w.grad)) : null;
  }

  // ---- the words ----------------------------------------------------------------------------------------------------------
  const operandWords = (operand) => (typeof operand === "string" ? `${operand} = ${short(values[operand])}` : short(operand));
  function formula(box, show) {
    const shown = box.args.map(show);
    if (box.op === "**") return box.args[1] === 2 ? `${shown[0]}\u00b2` : `${shown[0]}^${short(box.args[1])}`;
    if (box.op === "neg") return `\u2212${shown[0]}`;
    if (shown.length === 1) return `${OPERATIONS[box.op].sign}(${shown[0].replace(/^\((.*)\)$/, "$1")})`;
    return shown.join(` ${box.op === "*" ? "\u00b7" : OPERATIONS[box.op].sign} `);
  }
  const inNames = (box) => formula(box, (a) => (typeof a === "string" ? a : short(a)));
  const inNumbers = (box) => formula(box, (a) => inside(at(a)));
  const product = (wire) => `${short(grads[wire.to])} \u00b7 ${inside(wire.slope)} ${gives(wire.grad)}`;

  function wordsOfWire(wire) {
    const box = boxOf[wire.to];
    const why = OPERATIONS[box.op].why(wire.k, box.args.map(operandWords), box.args.map(at));
    const lines = [
      ["Wire", `from ${wire.from} to ${wire.to}, where ${wire.to} = ${inNames(box)}`],
      ["Forward", `it carries ${wire.from} = ${short(values[wire.from])}`],
    ];
    if (!started()) return lines;
    lines.push(["Local slope", `${short(wire.slope)}: ${why}`]);
    if (!walked(wire)) return [...lines, ["Back", "the walk has not come here yet"]];
    lines.push(["Back", `${product(wire)}: what arrives at ${wire.to} from ${side}, times the local slope`]);
    const paths = leaving(wire.from).filter((w) => walked(w) && w.step <= wire.step);
    if (paths.length > 1) {
      const total = sum(paths.map((w) => w.grad));
      lines.push(["They add", `${wire.from} is used more than once: ${added(paths.map((w) => w.grad))} ${gives(total)}`]);
    }
    return lines;
  }
  function wordsOfBox(name) {
    const box = boxOf[name];
    const lines = [box
      ? ["Box", `${name} = ${inNames(box)} = ${inNumbers(box)} ${gives(values[name])}`]
      : ["Input", `${name} = ${short(values[name])}; drag its number, or use the arrow keys or the slider`]];
    if (!started()) return lines;
    const grad = soFar(name);
    const label = `d${last}/d${name}`;
    if (grad === null) return [...lines, ["Gradient", `${label}: the walk has not come here yet`]];
    if (name === last) return [...lines, ["Gradient", `${label} = 1: ${last} changes exactly as much as itself. Here the walk back starts`]];
    const parts = leaving(name).filter(walked);
    const missing = leaving(name).length - parts.length;
    const arrived = `${added(parts.map((w) => w.grad))} ${gives(grad)}, as paths that meet add`;
    const from = parts.length === 1 ? `${product(parts[0])}, along the wire from ${parts[0].to}` : arrived;
    lines.push(["Gradient", `${label} = ${from}${missing ? ` (so far: ${missing} more to come)` : ""}`]);
    if (!missing)
      lines.push(["It says", `nudge ${name} up by 0.01, and ${last} ${grad === 0 ? "stays where it is" : `goes ${grad > 0 ? "up" : "down"} by about ${short(Math.abs(grad) * 0.01)}`}`]);
    return lines;
  }

  // ---- the parts ----------------------------------------------------------------------------------------------------------
  const set = (element, attributes) => {
    for (const [name, v] of Object.entries(attributes))
      if (v === null) element.removeAttribute(name);
      else element.setAttribute(name, v);
  };
  const text = (kind) => live.svg("text", { class: `boxes-${kind}`, "text-anchor": "middle" });
  const parts = []; // all that has words: wires and boxes, inputs too
  let shown = null; // the part whose words stand below, null for those of the walk
  let chosen = weights[0] ?? Object.keys(inputs)[0]; // the input that the slider moves

  for (const wire of wires) {
    wire.line = live.svg("path", { class: "boxes-line" });
    wire.hit = live.svg("path", { class: "boxes-hit" });
    wire.slopeText = text("slope");
    wire.gradText = text("grad");
    wire.group = live.svg("g", { class: "boxes-part boxes-wire", "data-wire": `${wire.from}>${wire.to}`, "data-operand": wire.k, role: "button", tabindex: -1 },
      wire.line, wire.hit);
    wire.labels = live.svg("g", { class: "boxes-labels", "aria-hidden": "true" }, wire.slopeText, wire.gradText);
    parts.push({ group: wire.group, words: () => wordsOfWire(wire), column: places[wire.to][0] - 0.5, wire });
  }
  const WIDTH = 64, HEIGHT = 58;
  const cards = {};
  for (const name of names) {
    const input = name in inputs;
    const card = { rect: live.svg("rect", { width: WIDTH, height: HEIGHT, rx: 7, x: -WIDTH / 2, y: -HEIGHT / 2 }), valueText: text("value"), gradText: text("grad") };
    const title = live.svg("text", { class: "boxes-title", "text-anchor": "middle", y: -14 }, live.svg("tspan", { class: "boxes-name", text: name }));
    if (!input)
      title.append(live.svg("tspan", { class: "boxes-sign", dx: 5, text: boxOf[name].sign }));
    set(card.valueText, { y: forwardOnly ? 12 : 5 });
    set(card.gradText, { y: 22 });
    card.group = live.svg("g", { class: `boxes-part boxes-box${input ? " boxes-input" : ""}${weights.includes(name) ? " boxes-weight" : ""}`, "data-box": name }, card.rect, title, card.valueText, card.gradText);
    set(card.group, input ? { role: "slider", tabindex: 0, "aria-label": name } : { role: "button", tabindex: -1 });
    cards[name] = card;
    parts.push({ group: card.group, words: () => wordsOfBox(name), name, column: places[name][0], input: input ? name : null });
  }
  parts.sort((a, b) => a.column - b.column);
  const svg = live.svg("svg", { class: "boxes-picture", role: "group", "aria-label": "Boxes and wires. The arrow keys go from one to the next." },
    ...parts.filter((p) => p.wire).map((p) => p.group), ...wires.map((w) => w.labels), ...parts.filter((p) => !p.wire).map((p) => p.group));

  const range = live.el("input", { type: "range", step: 0.01, id: live.id("input"), "data-slider": true });
  const sliderName = live.el("label", { for: range.id });
  const sliderText = live.el("span", { class: "live-value", "aria-hidden": "true" });
  const words = live.el("div", { class: "boxes-words live-readout", "aria-live": "polite" });
  const legend = live.el("span", { class: "boxes-grad" });
  const legendBack = live.el("span", {}, ", ", live.el("span", { class: "boxes-slope" }, "\u00d7local slope"), " on the wire, ", legend, " back");
  const count = live.el("span", { class: "boxes-count live-muted" });
  const button = (action, label, click) => {
    const made = live.button(label, click);
    set(made, { "data-action": action });
    return made;
  };
  const on = button("on", "Next gradient", () => go(step + 1));
  const back = button("undo", "Undo one", () => go(step - 1));
  const all = button("all", "All", () => go(steps));
  const none = button("clear", "Clear", () => go(0));
  const descend = button("descend", `Step against the gradients (\u00d7 ${rate})`, () => {
    for (const name of weights) inputs[name] -= rate * grads[name];
    update();
  });
  const reset = button("reset", "Numbers as before", () => { Object.assign(inputs, value.inputs); update(); });
  const box = live.el("div", { class: "boxes" },
    svg,
    ...(forwardOnly ? [] : [live.el("div", { class: "live-controls" }, on, back, all, none, count)]),
    words,
    live.el("div", { class: "boxes-change" },
      live.el("div", { class: "live-row boxes-slider" }, sliderName, live.el("span", { class: "live-track" }, range, sliderText)),
      ...(weights.length && !forwardOnly ? [descend] : []), reset),
    live.el("p", { class: "boxes-legend" },
      live.el("span", { class: "boxes-value" }, "value"), " forward", legendBack, `. Point at a wire or a box, or tap it, to read how its numbers arise and to see which boxes they come from. Drag the number of an input (its frame is dashed${weights.length ? ", or blue for a weight" : ""}) to change it.`));
  root.append(box);

  // ---- where they stand: from left to right, or from top to bottom where it is narrow ---------------------------------------
  const columns = Math.max(...Object.values(places).map((p) => p[0]));
  const lanes = Math.max(...Object.values(places).map((p) => p[1]), ...value.detours);
  function layout() {
    const width = Math.min(860, box.clientWidth || 720);
    const flat = width >= (columns + 1) * 92;
    [arrow, side] = flat ? ["\u25c2", "the right"] : ["\u25b4", "below"];
    legend.textContent = `${arrow}gradient`;
    const gap = (count, room, least, most) => (count ? Math.max(least, Math.min(most, room / count)) : 0);
    const across = gap(flat ? columns : lanes, width - WIDTH - 6, flat ? WIDTH + 24 : WIDTH + 2, flat ? 150 : 110);
    const down = flat ? HEIGHT + 16 : HEIGHT + 40;
    const full = (flat ? columns : lanes) * across + WIDTH + 6;
    const high = (flat ? lanes : columns) * down + HEIGHT + 6;
    const spot = (column, lane) => ({ x: WIDTH / 2 + 3 + (flat ? column : lane) * across, y: HEIGHT / 2 + 3 + (flat ? lane : column) * down });
    const place = (name) => spot(...places[name]);
    set(svg, { viewBox: `0 0 ${full} ${high}`, width: full, height: high, "data-flat": flat });
    for (const name of names) {
      const { x, y } = place(name);
      set(cards[name].group, { transform: `translate(${x} ${y})` });
    }
    for (const wire of wires) {
      const level = (w) => w.detour ?? places[w.from][1];
      const arriving = wires.filter((w) => w.to === wire.to).sort((p, q) => level(p) - level(q) || p.k - q.k);
      const twins = arriving.some((w) => w !== wire && w.from === wire.from); // as in x * x: they start apart, too
      const shift = (arriving.indexOf(wire) - (arriving.length - 1) / 2) * (twins ? 34 : 15);
      const apart = twins ? shift : 0;
      const a = place(wire.from), b = place(wire.to);
      const from = flat ? { x: a.x + WIDTH / 2, y: a.y + apart } : { x: a.x + apart, y: a.y + HEIGHT / 2 };
      const to = flat ? { x: b.x - WIDTH / 2, y: b.y + shift } : { x: b.x + shift, y: b.y - HEIGHT / 2 };
      const points = [from];
      if (wire.detour !== null)
        for (const column of new Set([places[wire.from][0] + 1, places[wire.to][0] - 1])) points.push(spot(column, wire.detour));
      points.push(to);
      const curve = (p, q) => {
        const bend = (flat ? q.x - p.x : q.y - p.y) * 0.35;
        return flat ? `C${p.x + bend},${p.y} ${q.x - bend},${q.y} ${q.x},${q.y}` : `C${p.x},${p.y + bend} ${q.x},${q.y - bend} ${q.x},${q.y}`;
      };
      const path = `M${from.x},${from.y}${points.slice(1).map((q, i) => curve(points[i], q)).join("")}`;
      set(wire.line, { d: path });
      set(wire.hit, { d: path });
      // The numbers stand half-way, later where several wires part.
      const part = leaving(wire.from).length > 1 && !twins ? 0.66 : 0.5;
      const { x, y } = wire.detour === null ? wire.line.getPointAtLength(part * wire.line.getTotalLength()) : points[1];
      set(wire.slopeText, { x, y: y - 3 });
      set(wire.gradText, { x, y: y + 12 });
    }
  }

  // ---- what they say --------------------------------------------------------------------------------------------------------
  const current = () => parts.find((p) => p.wire && p.wire.step === step - 1);
  function say() {
    const now = shown ?? current();
    const lines = now ? now.words() : started() ? wordsOfBox(last)
      : [["Forward", `each box works out its value from those ${side === "below" ? "above it" : "to its left"}. Drag the number of an input, and see how far ${last} follows`]];
    words.replaceChildren(...lines.flatMap(([term, meaning]) => [live.el("span", { class: "boxes-term" }, term), live.el("span", {}, meaning)]));
    const marked = now?.wire ? sources(now.wire) : now ? (boxOf[now.name]?.args ?? []) : [];
    for (const p of parts) set(p.group, { "data-shown": p === shown ? "yes" : null, "data-source": p.name && marked.includes(p.name) ? "yes" : null });
  }
  function update() {
    compute();
    for (const name of names) {
      const { group, valueText, gradText } = cards[name];
      const grad = soFar(name);
      valueText.textContent = inBox(values[name]);
      gradText.textContent = grad === null ? "" : `${arrow} ${inBox(grad)}`;
      for (const part of [valueText, gradText]) part.classList.toggle("boxes-long", part.textContent.replace(/^. /, "").length > 5);
      set(group, { "data-value": values[name], "data-grad": grad });
      if (name in inputs) {
        const [low, high] = limits(name);
        set(group, { "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": inputs[name], "aria-valuetext": `${short(inputs[name])}${grad === null ? "" : `, gradient ${short(grad)}`}` });
      } else set(group, { "aria-label": `Box ${name}: ${short(values[name])}${grad === null ? "" : `, gradient ${short(grad)}`}` });
    }
    for (const wire of wires) {
      wire.slopeText.textContent = started() ? `\u00d7${inBox(wire.slope)}` : ""; // nothing of the way back before the walk begins
      wire.gradText.textContent = walked(wire) ? `${arrow}${inBox(wire.grad)}` : "";
      set(wire.group, {
        "data-slope": wire.slope, "data-grad": walked(wire) ? wire.grad : null, "data-now": wire.step === step - 1 ? "yes" : null,
        "aria-label": `Wire from ${wire.from} to ${wire.to}: local slope ${short(wire.slope)}${walked(wire) ? `, gradient ${short(wire.grad)}` : ""}`,
      });
    }
    legendBack.hidden = !started();
    count.textContent = `${step} of ${steps}`;
    on.disabled = all.disabled = step === steps;
    back.disabled = none.disabled = step === 0;
    slide();
    say();
  }
  function go(to) {
    step = Math.max(0, Math.min(steps, to));
    shown = null;
    update();
  }

  // ---- an input moves: its number dragged, the arrow keys, the slider ---------------------------------------------------------
  function limits(name) {
    const most = Math.max(4, Math.ceil(2 * Math.abs(value.inputs[name])));
    return [-most, most];
  }
  function change(name, number) {
    const [low, high] = limits(name);
    inputs[name] = Math.max(low, Math.min(high, Number(number.toFixed(6))));
    update();
  }
  function slide() {
    const [low, high] = limits(chosen);
    set(range, { min: low, max: high, "aria-valuetext": short(inputs[chosen]) });
    range.value = inputs[chosen];
    sliderName.textContent = chosen;
    sliderText.textContent = short(inputs[chosen]);
  }
  const tenth = (v) => Math.round(v * 10) / 10;
  function keys(event, name) {
    const moves = { ArrowRight: 0.1, ArrowUp: 0.1, ArrowLeft: -0.1, ArrowDown: -0.1, PageUp: 1, PageDown: -1 };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    change(name, inputs[name] + moves[event.key]);
    event.preventDefault();
  }
  range.addEventListener("input", () => change(chosen, +range.value));
  range.addEventListener("keydown", (event) => keys(event, chosen));
  for (const part of parts.filter((p) => p.input)) {
    const { group, input: name } = part;
    let origin = null;
    group.addEventListener("keydown", (event) => keys(event, name));
    group.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      origin = { x: event.clientX, number: inputs[name] };
      group.setPointerCapture(event.pointerId);
    });
    group.addEventListener("pointermove", (event) => {
      if (!origin) return;
      const by = (event.clientX - origin.x) / 40;
      if (Math.abs(by) > 0.1) change(name, tenth(origin.number + by));
    });
    for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => { origin = null; });
    group.addEventListener("focus", () => { chosen = name; slide(); });
    group.addEventListener("click", () => { chosen = name; slide(); });
  }

  // ---- reading a wire or a box: pointed at, tapped, or reached with the arrow keys ----------------------------------------------
  const show = (part) => { shown = part; say(); };
  const readable = parts.filter((p) => !p.input); // one stop of the Tab key; the arrow keys go on from there
  let stop = readable[readable.length - 1];
  function rove(part) {
    set(stop.group, { tabindex: -1 });
    stop = part;
    set(stop.group, { tabindex: 0 });
  }
  rove(stop);
  for (const part of parts) {
    part.group.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(part); });
    part.group.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && shown === part) show(null); });
    part.group.addEventListener("click", () => show(part));
    part.group.addEventListener("focus", () => { if (part.group.matches(":focus-visible")) show(part); if (!part.input) rove(part); });
    part.group.addEventListener("blur", () => { if (shown === part) show(null); });
    if (part.input) continue;
    part.group.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = readable[readable.indexOf(part) + moves[event.key]];
      if (next) next.group.focus();
      event.preventDefault();
    });
  }

  svg.addEventListener("click", (event) => { if (event.target === svg) show(null); });
  svg.addEventListener("keydown", (event) => { if (event.key === "Escape") show(null); });

  layout();
  update();
  let before = box.clientWidth;
  new ResizeObserver(() => {
    if (!box.clientWidth || Math.abs(box.clientWidth - before) < 2) return;
    before = box.clientWidth;
    requestAnimationFrame(() => { layout(); update(); });
  }).observe(box);
}
