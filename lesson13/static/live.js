// Goes into every live picture. start() finds the picture's box, sets its theme, and calls mount(root, value, live).

function isDark(box) {
  const body = document.body;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab and nbconvert
  if (body.matches(".vscode-light, .vscode-high-contrast-light, .quarto-light")) return false;
  if (body.matches(".vscode-dark, .vscode-high-contrast, .quarto-dark")) return true;
  for (let node = box.parentElement; node; node = node.parentElement) {
    const rgb = getComputedStyle(node).backgroundColor.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (rgb && (rgb[4] === undefined || +rgb[4] > 0.5)) return 0.2126 * rgb[1] + 0.7152 * rgb[2] + 0.0722 * rgb[3] < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function makeElement(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children); // a string becomes a text node: nothing is ever read as HTML
  return node;
}

// The third argument of mount: a few helpers, all of them optional.
function helpers(box, root) {
  const themed = [];
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let count = 0;
  const live = {
    // live.el("p", {class: "live-muted"}, "text"): an HTML element; `text` sets textContent, `onclick` listens.
    el: (tag, attributes, ...children) => makeElement(document.createElement(tag), attributes, children),
    // live.svg("circle", {cx: 1, cy: 2, r: 3}): the same for SVG.
    svg: (tag, attributes, ...children) =>
      makeElement(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children),
    // live.id("slider"): an id that no other picture on the page has.
    id: (name = "part") => `${root.id}-${name}-${(count += 1)}`,
    // live.color("--live-accent"): the theme's colour as text, for a canvas. SVG can say var(--live-accent) itself.
    color: (name) => getComputedStyle(box).getPropertyValue(name).trim(),
    // live.onTheme(f): call f() when light turns to dark or back.
    onTheme: (f) => themed.push(f),
    get dark() { return box.dataset.theme === "dark"; },
    // live.reduced: the reader asked for less motion. Start nothing by yourself, and jump instead of gliding.
    get reduced() { return still.matches; },
    // live.slider({label, min, max, step, value, show, input}): a labelled slider with the value beside it.
    slider({ label, min, max, step = 1, value, show = String, input = () => {} }) {
      const range = live.el("input", { type: "range", min, max, step, id: live.id("slider") });
      const text = live.el("span", { class: "live-value", "aria-hidden": "true" });
      const track = live.el("span", { class: "live-track" }, range, text); // stay together in a narrow window
      const row = live.el("div", { class: "live-row" }, live.el("label", { for: range.id }, label), track);
      const write = () => {
        text.textContent = show(+range.value);
        range.setAttribute("aria-valuetext", text.textContent);
      };
      range.value = value ?? min;
      write();
      range.addEventListener("input", () => { write(); input(+range.value); });
      return { row, range, get value() { return +range.value; }, set value(v) { range.value = v; write(); } };
    },
    // live.button("Play", f): a button.
    button: (label, click) => live.el("button", { type: "button", onclick: click }, label),
    // live.loop(f): f(seconds since the last frame) on every frame between .start() and .stop(), while the picture is in view.
    loop(f) {
      let frame = 0, last = 0, on = false, seen = true;
      const tick = (now) => {
        f(Math.min(Math.max(now - last, 0) / 1000, 0.1)); // a frame may be stamped before start() was called
        last = now;
        frame = on && seen ? requestAnimationFrame(tick) : 0;
      };
      const go = () => {
        if (on && seen && !frame) { last = performance.now(); frame = requestAnimationFrame(tick); }
      };
      const halt = () => { cancelAnimationFrame(frame); frame = 0; };
      new IntersectionObserver((entries) => {
        seen = entries[entries.length - 1].isIntersecting;
        if (seen) go(); else halt();
      }).observe(box);
      return { start() { on = true; go(); }, stop() { on = false; halt(); }, get running() { return on; } };
    },
  };
  return { live, themed };
}

function start(key, mount) {
  // The same saved output can stand twice in one document (two notebooks open side by side): each box is taken once.
  for (const box of document.querySelectorAll(`[data-picture="${key}"]:not([data-live])`)) {
    const root = box.querySelector(".live-root");
    root.id = `live-${key}-${Math.random().toString(36).slice(2, 10)}`;
    const { live, themed } = helpers(box, root);
    const theme = () => {
      const now = isDark(box) ? "dark" : "light";
      if (box.dataset.theme === now) return;
      box.dataset.theme = now;
      for (const f of themed) f();
    };
    theme();
    const observer = new MutationObserver(theme);
    for (const node of [document.documentElement, document.body])
      observer.observe(node, { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
    // JupyterLab walks from cell to cell with the arrow keys, and opens one with Enter, unless the focused element says no.
    box.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
    const before = [...root.childNodes];
    root.replaceChildren();
    box.dataset.live = "on";
    try {
      mount(root, JSON.parse(box.querySelector("script[type='application/json']").textContent), live);
    } catch (error) {
      root.replaceChildren(...before); // the still twin comes back
      box.dataset.live = "failed";
      console.error("live picture:", error);
    }
  }
}
