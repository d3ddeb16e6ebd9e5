// A point that slides along y = x² and carries its tangent: the example of pictures/live. value = {x, low, high}
function mount(root, value, live) {
  const [width, height, top] = [420, 260, Math.max(value.low ** 2, value.high ** 2)];
  const px = (x) => 20 + ((x - value.low) / (value.high - value.low)) * (width - 40);
  const py = (y) => height - 30 - (y / top) * (height - 60);
  const path = Array.from({ length: 81 }, (_, i) => value.low + ((value.high - value.low) * i) / 80);
  const curve = live.svg("polyline", {
    points: path.map((x) => `${px(x)},${py(x * x)}`).join(" "),
    fill: "none", stroke: "var(--live-fg)", "stroke-width": 2,
  });
  const axis = live.svg("line", { x1: 20, x2: width - 20, y1: py(0), y2: py(0), stroke: "var(--live-line)" });
  const tangent = live.svg("line", { stroke: "var(--live-accent)", "stroke-width": 2, "stroke-dasharray": "7 4" });
  const point = live.svg("circle", { r: 6, fill: "var(--live-accent2)" });
  const picture = live.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" }, axis, curve, tangent, point);
  const readout = live.el("p", { class: "live-readout" });
  const slider = live.slider({
    label: "x", min: value.low, max: value.high, step: 0.1, value: value.x, show: (x) => x.toFixed(1), input: draw,
  });
  function draw(x) {
    const [slope, reach] = [2 * x, 1];
    for (const [name, at] of [["1", x - reach], ["2", x + reach]]) {
      tangent.setAttribute(`x${name}`, px(at));
      tangent.setAttribute(`y${name}`, py(x * x + slope * (at - x)));
    }
    point.setAttribute("cx", px(x));
    point.setAttribute("cy", py(x * x));
    readout.textContent = `x = ${x.toFixed(1)}, y = x² = ${(x * x).toFixed(2)}, slope = 2x = ${slope.toFixed(1)}`;
  }
  root.append(picture, slider.row, readout);
  draw(value.x);
}
