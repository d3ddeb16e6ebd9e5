// Sums of lines cut at zero, bending towards a curve as training goes on. value = {steps, groups}:
//   steps   the step of the optimizer that each frame shows
//   groups  [{name, panels: [{title, low, high, bottom, top, target: [y...], frames: [[error, bias, slope..., intercept..., weight...]...]}]}]
function mount(root, value, live) {
  const [width, height, pad] = [240, 150, 6];
  const last = value.steps.length - 1;
  const relu = (z) => Math.max(z, 0);
  const short = (y) => (y === 0 ? "0" : Math.abs(y) < 0.001 ? y.toExponential(1) : y.toPrecision(2));
  const grid = live.el("div", { class: "curve-grid" });
  let panels = [], at = last;

  function makePanel(panel) {
    const px = (x) => pad + ((x - panel.low) / (panel.high - panel.low)) * (width - 2 * pad);
    const py = (y) => height - pad - ((y - panel.bottom) / (panel.top - panel.bottom)) * (height - 2 * pad);
    const line = (points) => points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
    const n = (panel.frames[0].length - 2) / 3;
    const gap = (panel.high - panel.low) / (panel.target.length - 1);
    const target = live.svg("polyline", { class: "curve-target", points: line(panel.target.map((y, i) => [panel.low + i * gap, y])) });
    const units = Array.from({ length: n }, () => live.svg("polyline", { class: "curve-unit" }));
    const sum = live.svg("polyline", { class: "curve-sum" });
    const zero = panel.bottom < 0 && panel.top > 0 ? [live.svg("line", { class: "curve-zero", x1: pad, x2: width - pad, y1: py(0), y2: py(0) })] : [];
    const picture = live.svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...zero, ...units, target, sum);
    const error = live.el("span", { class: "curve-error" });
    grid.append(live.el("div", { class: "curve-panel" }, live.el("div", { class: "curve-title" }, live.el("b", {}, panel.title), error), picture));

    return (frame, next, part) => {
      const now = frame.map((v, i) => v + (next[i] - v) * part); // between two recorded steps: a straight mix
      const [slope, intercept, weight] = [2, 2 + n, 2 + 2 * n].map((k) => now.slice(k, k + n));
      const unit = (k, x) => weight[k] * relu(slope[k] * x + intercept[k]);
      const bends = slope.map((s, k) => -intercept[k] / s).filter((x) => x > panel.low && x < panel.high);
      const xs = [panel.low, ...bends.sort((a, b) => a - b), panel.high]; // straight from bend to bend: no more points needed
      units.forEach((u, k) => u.setAttribute("points", line(xs.map((x) => [x, unit(k, x)]))));
      sum.setAttribute("points", line(xs.map((x) => [x, slope.reduce((y, _, k) => y + unit(k, x), now[1])])));
      error.textContent = `error ${short(now[0])}`;
    };
  }

  function draw(position) {
    at = position;
    const [i, part] = [Math.floor(position), position % 1];
    panels.forEach(({ show, frames }) => show(frames[i], frames[Math.min(i + 1, last)], part));
  }

  function choose(group) {
    grid.replaceChildren();
    panels = group.panels.map((panel) => ({ show: makePanel(panel), frames: panel.frames }));
    draw(at);
  }

  const slider = live.slider({
    label: "training step", min: 0, max: last, value: last, show: (i) => String(value.steps[i]),
    input: (i) => { pause(); draw(i); },
  });
  const play = live.button("Play", () => (loop.running ? pause() : resume()));
  const loop = live.loop((seconds) => {
    const before = at;
    wait += seconds;
    if (live.reduced) { // less motion: one jump a second instead of a glide
      if (wait < 1) return;
      wait = 0;
      at = Math.min(Math.floor(at) + 6, last);
    } else at = Math.min(at + seconds * 9, last);
    draw(at);
    if (Math.round(at) !== Math.round(before)) slider.value = Math.round(at);
    if (at >= last) pause();
  });
  let wait = 0;
  function resume() {
    if (at >= last) { draw(0); slider.value = 0; }
    play.textContent = "Pause";
    wait = 0;
    loop.start();
  }
  function pause() {
    loop.stop();
    play.textContent = "Play";
  }

  const buttons = value.groups.map((group, k) => {
    const button = live.button(group.name, () => {
      buttons.forEach((b) => b.setAttribute("aria-pressed", b === button));
      choose(group);
    });
    button.setAttribute("aria-pressed", k === 0);
    return button;
  });
  const sample = (name, text) =>
    live.el("span", { class: "curve-key" },
      live.svg("svg", { viewBox: "0 0 30 10", width: 30, height: 10, "aria-hidden": "true" }, live.svg("line", { class: name, x1: 1, x2: 29, y1: 5, y2: 5 })), text);
  if (buttons.length > 1) root.append(live.el("div", { class: "live-controls", role: "group", "aria-label": "target" }, ...buttons));
  root.append(live.el("div", { class: "live-controls" }, play, slider.row), grid,
    live.el("div", { class: "curve-legend" }, sample("curve-target", "target"), sample("curve-sum", "sum"), sample("curve-unit", "one unit")));
  slider.row.classList.add("curve-scrubber");
  choose(value.groups[0]);
}
