// A few units whose slope, intercept and weight the reader sets. value = {low, high, bottom, top, bias, units, target}:
//   units   [[slope, intercept, weight]...]
//   target  [y...] at equal distances from low to high, or null
function mount(root, value, live) {
  const narrow = matchMedia("(max-width: 480px)").matches; // drawn small there, so that its numbers are not
  const [width, height, left, foot] = [narrow ? 320 : 540, narrow ? 190 : 290, 34, 24];
  const units = value.units.map((unit) => [...unit]);
  const px = (x) => left + ((x - value.low) / (value.high - value.low)) * (width - left - 10);
  const py = (y) => height - foot - ((y - value.bottom) / (value.top - value.bottom)) * (height - foot - 10);
  const unit = ([slope, intercept, weight], x) => weight * Math.max(slope * x + intercept, 0);
  const sum = (x) => units.reduce((y, u) => y + unit(u, x), value.bias);
  const line = (points) => points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
  const number = (v) => v.toFixed(1).replace("-", "\u2212");

  const picture = live.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" });
  const clip = live.id("frame");
  picture.append(live.svg("clipPath", { id: clip },
    live.svg("rect", { x: left, y: 10, width: width - left - 10, height: height - foot - 10 })));
  for (let x = Math.ceil(value.low); x <= value.high; x += 1)
    picture.append(live.svg("line", { class: "units-grid", x1: px(x), x2: px(x), y1: 10, y2: height - foot }),
      live.svg("text", { x: px(x), y: height - 7, "text-anchor": "middle" }, String(x).replace("-", "\u2212")));
  for (let y = Math.ceil(value.bottom); y <= value.top; y += 1)
    picture.append(live.svg("line", { class: y ? "units-grid" : "units-zero", x1: left, x2: width - 10, y1: py(y), y2: py(y) }),
      live.svg("text", { x: left - 8, y: py(y) + 5, "text-anchor": "end" }, String(y).replace("-", "\u2212")));
  const inside = live.svg("g", { "clip-path": `url(#${clip})` });
  const gap = value.target && (value.high - value.low) / (value.target.length - 1);
  const target = value.target?.map((y, i) => [value.low + i * gap, y]);
  if (target) inside.append(live.svg("polyline", { class: "units-target", points: line(target) }));
  const faint = units.map(() => live.svg("polyline", { class: "units-unit" }));
  const total = live.svg("polyline", { class: "units-sum" });
  inside.append(...(units.length > 1 ? faint : []), total);
  picture.append(inside);
  const sample = (name, text) =>
    live.el("span", { class: "units-key" },
      live.svg("svg", { viewBox: "0 0 30 10", width: 30, height: 10, "aria-hidden": "true" }, live.svg("line", { class: name, x1: 1, x2: 29, y1: 5, y2: 5 })), text);
  const legend = live.el("div", { class: "units-legend" }, ...(target ? [sample("units-target", "target")] : []),
    sample("units-sum", "sum"), sample("units-unit", "one unit"));
  const readout = live.el("p", { class: `live-readout${units.length > 1 ? " units-several" : ""}`, role: "status" });

  function draw() {
    const bends = units.filter((u) => u[0]).map((u) => -u[1] / u[0]).filter((x) => x > value.low && x < value.high);
    const xs = [value.low, ...bends.sort((a, b) => a - b), value.high];
    faint.forEach((f, k) => f.setAttribute("points", line(xs.map((x) => [x, unit(units[k], x)]))));
    total.setAttribute("points", line(xs.map((x) => [x, sum(x)])));
    const where = units.map((u) => (u[0] ? number(-u[1] / u[0]) : "nowhere")).join(", ");
    const error = target && target.reduce((e, [x, y]) => e + (sum(x) - y) ** 2, 0) / target.length;
    readout.textContent = `${units.length > 1 ? "The units bend" : "The unit bends"} at x = ${where}.` +
      (target ? ` Mean squared error: ${error.toFixed(3)}.` : "");
  }

  const groups = units.map((u, k) => {
    const sliders = ["slope", "intercept", "weight"].map((part, i) => {
      const slider = live.slider({ label: part, min: -3, max: 3, step: 0.1, value: u[i], show: number, input: (v) => { u[i] = v; draw(); } });
      if (units.length > 1) slider.range.setAttribute("aria-label", `${part} of unit ${k + 1}`);
      return slider;
    });
    const head = units.length > 1 ? [live.el("b", {}, `unit ${k + 1}`)] : [];
    return { sliders, box: live.el("div", {}, ...head, ...sliders.map((s) => s.row)) };
  });
  const reset = live.button("Reset", () => {
    groups.forEach(({ sliders }, k) => sliders.forEach((s, i) => { s.value = units[k][i] = value.units[k][i]; }));
    draw();
  });
  root.append(picture, ...(units.length > 1 ? [legend] : []), readout, live.el("div", { class: "units-groups" }, ...groups.map((g) => g.box)), reset);
  draw();
}
