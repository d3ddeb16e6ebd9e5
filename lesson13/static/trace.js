// A recorded forward and backward pass, line by line: the code, the names, and the tensors that they name.
// value = {panels: [[label, kind]], names: [[name, panel]], objects: [{shape, table}], sources: [[line, ...]],
//   steps: [{where, source, line, names: {name: object}, values: {object: table}, grads: {object: table},
//   locals: {name: object}, returns: object}]}; the first step is the state before the run.
//   table = [[[text, tint], ...], ...]: tint from -1 to 1; the text "…" stands for what is left out.
function mount(root, value, live) {
  const { panels, names, objects, sources, steps } = value;
  const last = steps.length - 1;
  let at = 0, pinned = null, hovered = null;

  // ---- what is known after each step: which object a name means, and each object's value and gradient -----------------
  const states = [];
  let now = { bound: {}, values: Object.fromEntries(objects.map(({ table: cells }, k) => [k, cells])), grads: {} };
  for (const step of steps) {
    now = {
      bound: { ...now.bound, ...step.names },
      values: { ...now.values, ...step.values },
      grads: { ...now.grads, ...step.grads },
    };
    states.push(now);
  }
  const everAt = (name) => steps.find((step) => (step.names[name] ?? null) !== null).names[name];
  const namesOf = (object, state) => names.map(([name]) => name).filter((name) => state.bound[name] === object);
  const size = (object) => `(${objects[object].shape.join(", ")}${objects[object].shape.length === 1 ? "," : ""})`;
  const tag = (object) => `#${object + 1}`;

  // ---- one row for a name: the name, the object it means, its value and its gradient ------------------------------------
  function chip(text, objectOf) {
    const button = live.button(text, () => { pinned = pinned === objectOf() ? null : objectOf(); mark(); });
    button.className = "trace-name";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("pointerenter", () => { hovered = objectOf(); mark(); });
    button.addEventListener("pointerleave", () => { hovered = null; mark(); });
    return { button, objectOf };
  }

  function table(kind, cells) {
    const body = cells.map((row) => live.el("tr", {}, ...row.map(([text, tint]) => {
      const cell = live.el("td", { class: tint < 0 ? "trace-minus" : "trace-plus" }, text);
      cell.style.setProperty("--heat", Math.abs(tint));
      return cell;
    })));
    return live.el("table", { "aria-label": kind }, live.el("tbody", {}, ...body));
  }

  const rows = names.map(([name, panel]) => {
    const row = { name, panel };
    row.chip = chip(name, () => states[at].bound[name] ?? null);
    row.object = live.el("span", { class: "trace-object" });
    row.shape = live.el("span", { class: "live-muted" });
    row.value = live.el("div", { class: "trace-cells", "data-value": true });
    row.grad = live.el("div", { class: "trace-cells", "data-grad": true });
    row.box = live.el("div", { class: "trace-row", "data-name": name },
      live.el("div", { class: "trace-head" }, row.chip.button, row.object, row.shape),
      live.el("div", { class: "trace-pair" }, row.value, row.grad));
    return row;
  });

  function fill(cells, kind, table_, there) {
    cells.classList.toggle("trace-hidden", !there);
    cells.setAttribute("aria-hidden", String(!there));
    const label = kind === "value" ? [] : [live.el("span", { class: "trace-kind" }, ".g")];
    cells.replaceChildren(...(table_ ? [...label, table(kind, table_)] : []));
  }

  function drawRow(row) { // what is still to come keeps its place, unseen, so that nothing jumps
    const state = states[at], end = states[last];
    const bound = state.bound[row.name] ?? null;
    const there = bound !== null;
    const object = bound ?? everAt(row.name);
    row.box.classList.toggle("trace-unborn", !there);
    row.box.dataset.object = there ? bound + 1 : "";
    row.box.dataset.hasGrad = String(there && state.grads[object] !== undefined);
    row.object.textContent = there ? tag(object) : "";
    row.shape.textContent = size(object);
    row.chip.button.disabled = !there;
    fill(row.value, "value", state.values[object], there);
    fill(row.grad, "gradient", state.grads[object] ?? end.grads[object], row.box.dataset.hasGrad === "true");
  }

  // ---- the words: what the line did, and which names are one object --------------------------------------------------------
  const list = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`);

  function sentences(step) {
    const state = states[at];
    const out = [];
    const mine = (name) => name.startsWith(step.where.split(".").slice(0, -1).join(".") + ".");
    for (const key of Object.keys(step.grads)) {
      const all = namesOf(+key, state);
      const [first = tag(+key), ...others] = [...all.filter(mine), ...all.filter((name) => !mine(name))];
      out.push(others.length
        ? `${first} gets its gradient, and so ${others.length > 1 ? "do" : "does"} ${list(others)}: they are one object, ${tag(+key)}.`
        : `${first} gets its gradient.`);
    }
    for (const [name, object] of Object.entries(step.names)) {
      if (object === null) { out.push(`${name} is let go.`); continue; }
      const others = namesOf(object, state).filter((other) => other !== name);
      out.push(others.length
        ? `${name} now names ${tag(object)}, which ${list(others)} ${others.length > 1 ? "name" : "names"} too: one object.`
        : `${name} now names ${tag(object)}.`);
    }
    if (step.returns !== null) out.push(`Returns ${tag(step.returns)}.`);
    return out.length ? out : ["No new name and no new gradient."];
  }

  // ---- the parts -------------------------------------------------------------------------------------------------------------
  const buttons = {
    first: live.button("First", () => go(0)),
    prev: live.button("Previous", () => go(at - 1)),
    next: live.button("Next", () => go(at + 1)),
    last: live.button("Last", () => go(last)),
  };
  for (const [action, button] of Object.entries(buttons)) button.dataset.action = action;
  const scrub = live.slider({ label: "Step", min: 0, max: last, value: 0, show: (k) => `${k} of ${last}`, input: go });
  scrub.range.dataset.action = "scrub";
  const title = live.el("div", { class: "trace-title", "data-where": true });
  const code = live.el("div", { class: "trace-code", role: "group", "aria-label": "The code that runs" });
  const words = live.el("div", { class: "trace-words", "aria-live": "polite", "data-words": true });
  const locals = live.el("div", { class: "trace-locals" });
  const boxes = panels.map(([label, kind], k) => live.el("section", { class: "trace-panel", "data-panel": label, "aria-label": label },
    live.el("div", { class: "trace-title" }, label, live.el("span", { class: "live-muted" }, kind)),
    ...rows.filter((row) => row.panel === k).map((row) => row.box)));
  const scroll = live.el("div", { class: "trace-scroll", tabindex: 0, role: "group", "aria-label": "The tensors" },
    live.el("div", { class: "trace-panels" }, ...boxes));
  const left = live.el("div", { class: "trace-left" }, title, code);
  const right = live.el("div", { class: "trace-right" }, words, locals);
  const box = live.el("div", { class: "trace", tabindex: -1 },
    live.el("div", { class: "live-controls" }, ...Object.values(buttons), scrub.row),
    live.el("div", { class: "trace-top" }, left, right),
    scroll);
  root.append(box);

  const resized = new ResizeObserver(() => { scroll.dataset.scrolls = String(scroll.scrollHeight > scroll.clientHeight + 1); });
  for (const node of [scroll, scroll.firstChild]) resized.observe(node);

  // ---- drawing ---------------------------------------------------------------------------------------------------------------
  let localChips = [];

  function drawCode(step) {
    const source = sources[step.source];
    title.textContent = source ? step.where : "before the run";
    const lines = source ?? ["press Next, or click in here and use the arrow keys"];
    code.replaceChildren(...lines.map((text, k) => live.el("div", { class: "trace-line", style: `--indent: ${text.search(/\S|$/)}ch`,
      "aria-current": source && k === step.line ? "step" : null, "data-current": source && k === step.line }, text || " ")));
  }

  function drawLocals(step) {
    const entries = Object.entries(step.locals);
    localChips = entries.map(([name, object]) => chip(`${name} is ${tag(object)}`, () => object));
    locals.replaceChildren(...(entries.length
      ? [live.el("span", { class: "live-muted" }, "In this method:"), ...localChips.map((c) => c.button)] : []));
  }

  function mark() { // lit: touched by this line; same: the object under the pointer or pinned by a click
    const step = steps[at];
    const touched = new Set([...Object.keys(step.grads).map(Number), ...Object.values(step.names).filter((k) => k !== null), ...Object.keys(step.values).map(Number)]);
    for (const row of rows) {
      const object = states[at].bound[row.name] ?? null;
      const there = object !== null;
      row.box.dataset.lit = String(there && at > 0 && touched.has(object));
      row.box.dataset.same = String(there && (object === pinned || object === hovered));
    }
    for (const { button, objectOf } of [...rows.map((row) => row.chip), ...localChips])
      button.setAttribute("aria-pressed", String(pinned !== null && objectOf() === pinned));
  }

  function reveal() { // scroll the tensors, never the page, to the rows that this line touched
    const lit = rows.filter((row) => row.box.dataset.lit === "true").map((row) => row.box.getBoundingClientRect());
    if (!lit.length) return;
    const view = scroll.getBoundingClientRect();
    const top = Math.min(...lit.map((r) => r.top)) - view.top - 8;
    const bottom = Math.max(...lit.map((r) => r.bottom)) - view.top + 8;
    if (top < 0 || bottom > view.height) scroll.scrollTop += bottom - top > view.height || top < 0 ? top : bottom - view.height;
  }

  function drawTop() {
    const step = steps[at];
    drawCode(step);
    words.replaceChildren(...(at ? sentences(step) : ["The parameters, the input and the target exist; no layer has run."])
      .map((text) => live.el("p", {}, text)));
    drawLocals(step);
  }

  function settle() { // the tallest step decides how much room code and words get, so that nothing below them jumps
    const [now, halves] = [at, [left, right]];
    for (const half of halves) half.style.minHeight = "";
    const tallest = [0, 0];
    for (at = 0; at <= last; at++) {
      drawTop();
      halves.forEach((half, k) => { half.style.alignSelf = "start"; tallest[k] = Math.max(tallest[k], half.getBoundingClientRect().height); });
    }
    halves.forEach((half, k) => { half.style.minHeight = `${Math.ceil(tallest[k])}px`; });
    at = now;
    drawTop();
    mark();
  }

  function go(k) {
    at = Math.max(0, Math.min(last, k));
    const hadFocus = document.activeElement;
    scrub.value = at;
    buttons.first.disabled = buttons.prev.disabled = at === 0;
    buttons.next.disabled = buttons.last.disabled = at === last;
    if (hadFocus?.disabled && box.contains(hadFocus)) box.focus({ preventScroll: true }); // the arrow keys go on working
    box.dataset.step = at;
    drawTop();
    rows.forEach(drawRow);
    mark();
    reveal();
  }

  box.addEventListener("keydown", (event) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined || event.target === scrub.range || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(to);
  });
  // On paper there is nothing to press: a run that nobody has stepped through is printed at its end.
  let printing = false, seen = 0;
  addEventListener("beforeprint", () => {
    if (at) return;
    [printing, seen] = [true, scroll.scrollTop];
    go(last);
  });
  addEventListener("afterprint", () => {
    if (!printing) return;
    printing = false;
    go(0);
    scroll.scrollTop = seen;
  });
  go(0);
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    if (width) settle();
  }).observe(box);
}
