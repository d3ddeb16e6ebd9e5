// The line through two points of y = x², and how its slope settles as the second comes closer. value = {x, run, low, high}
function mount(root, value, live) {
  const [width, height, bottom, top] = [460, 290, -2, value.high ** 2];
  const px = (x) => 34 + ((x - value.low) / (value.high - value.low)) * (width - 44);
  const py = (y) => height - 24 - ((y - bottom) / (top - bottom)) * (height - 34);
  const number = (v, digits) => v.toFixed(digits).replace("-", "\u2212");
  const plain = (v) => String(+v.toPrecision(4)).replace("-", "\u2212");
  const clip = live.id("frame");
  const path = Array.from({ length: 121 }, (_, i) => value.low + ((value.high - value.low) * i) / 120);
  const curve = live.svg("polyline", {
    points: path.map((x) => `${px(x)},${py(x * x)}`).join(" "), fill: "none", stroke: "var(--live-fg)", "stroke-width": 2,
  });
  const line = (attributes) => live.svg("line", { "stroke-width": 2, ...attributes });
  const axis = line({ x1: px(value.low), x2: px(value.high), y1: py(0), y2: py(0), stroke: "var(--live-line)", "stroke-width": 1 });
  const secant = line({ stroke: "var(--live-accent)" });
  const run = line({ stroke: "var(--live-accent2)", "stroke-dasharray": "5 4" });
  const rise = line({ stroke: "var(--live-accent2)", "stroke-dasharray": "5 4" });
  const points = [0, 1].map(() => live.svg("circle", { r: 5, fill: "var(--live-accent2)" }));
  const picture = live.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" },
    live.svg("clipPath", { id: clip }, live.svg("rect", { x: 34, y: 10, width: width - 44, height: height - 34 })),
    axis, live.svg("g", { "clip-path": `url(#${clip})` }, curve, run, rise, secant, ...points));
  for (let x = Math.ceil(value.low); x <= value.high; x += 1)
    picture.append(live.svg("text", { x: px(x), y: height - 6, "text-anchor": "middle", fill: "var(--live-fg)", "font-size": 13 }, number(x, 0)));
  for (let y = 0; y <= top; y += 2)
    picture.append(live.svg("text", { x: 26, y: py(y) + 4, "text-anchor": "end", fill: "var(--live-fg)", "font-size": 13 }, number(y, 0)));
  const readout = live.el("p", { class: "live-readout", role: "status" });
  const put = (element, attributes) => Object.entries(attributes).forEach(([name, v]) => element.setAttribute(name, v));

  function draw() {
    const [x, h] = [at.value, 2 ** -closer.value];
    const [y0, y1] = [x * x, (x + h) ** 2];
    const slope = (y1 - y0) / h;
    put(secant, { x1: px(value.low), x2: px(value.high), y1: py(y0 + slope * (value.low - x)), y2: py(y0 + slope * (value.high - x)) });
    put(run, { x1: px(x), x2: px(x + h), y1: py(y0), y2: py(y0) });
    put(rise, { x1: px(x + h), x2: px(x + h), y1: py(y0), y2: py(y1) });
    points.forEach((p, k) => put(p, { cx: px(x + k * h), cy: py(k ? y1 : y0) }));
    readout.textContent = `From x = ${number(x, 1)} to ${plain(x + h)}: rise ${plain(y1 - y0)} over run ${plain(h)} = slope ${plain(slope)}.`;
  }

  const at = live.slider({ label: "x", min: value.low, max: value.high - 1, step: 0.1, value: value.x, show: (x) => number(x, 1), input: draw });
  const closer = live.slider({ label: "run", min: -1, max: 10, step: 1, value: -Math.log2(value.run), show: (k) => plain(2 ** -k), input: draw });
  root.append(picture, at.row, closer.row, readout);
  draw();
}
