// Raise one of three logits and watch log-softmax computed twice in float32: as written, and with the largest subtracted.
// value = {logits: [a, b, c], low, high}; the slider moves a. Math.fround rounds each result to float32.
function mount(root, value, live) {
  const f = Math.fround, names = ["a", "b", "c"];
  const sum = (xs) => xs.reduce((total, x) => f(total + x), 0);
  const show = (x) => {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x < 0 ? "−inf" : "inf";
    const size = Math.abs(x);
    const text = x === 0 ? "0" : size >= 1e4 || size < 1e-2 ? x.toExponential(1) : String(+(size < 1 ? x.toFixed(4) : x.toPrecision(4)));
    return text.replace(/-/g, "−");
  };

  function naive(x) {
    const exps = x.map((v) => f(Math.exp(v))), total = sum(exps);
    const probs = exps.map((e) => f(e / total)), logs = probs.map((p) => f(Math.log(p)));
    return { logs, rows: [["exp(x)", exps], ["÷ sum,", probs, total], ["log", logs]] };
  }
  function stable(x) {
    const top = Math.max(...x), gaps = x.map((v) => f(v - top)), exps = gaps.map((v) => f(Math.exp(v)));
    const total = sum(exps), log = f(Math.log(total)), logs = gaps.map((v) => f(v - log));
    return { logs, rows: [["x − max,", gaps, top], ["exp of that", exps], ["x − max − log", logs, total]] };
  }
  function verdict(a, x) {
    if (f(Math.exp(a)) === Infinity) return `exp(${show(a)}) is too large for float32 and becomes inf; inf / inf is nan. The shifted exponents never exceed 0.`;
    if (naive(x).logs.some((v) => v === -Infinity)) return "A probability is too small for float32 and becomes 0, whose log is −inf. The shifted version takes no log of it.";
    return "Both computations agree here.";
  }

  // The curve: log-probability of a against a.
  const narrow = matchMedia("(max-width: 480px)").matches; // drawn small there, so that its letters are not
  const [width, height, left, right, top, bottom] = [narrow ? 340 : 560, narrow ? 250 : 270, 52, 14, 26, 44];
  const { low, high } = value, floor = low - 10;
  const px = (a) => left + ((a - low) / (high - low)) * (width - left - right);
  const py = (y) => top + ((10 - y) / (10 - floor)) * (height - top - bottom);
  const steps = Array.from({ length: 481 }, (_, i) => f(low + ((high - low) * i) / 480));
  const at = (compute, a) => compute([a, ...value.logits.slice(1)].map(f)).logs[0];
  const good = steps.filter((a) => Number.isFinite(at(naive, a)));
  const line = (compute, points, style) =>
    live.svg("polyline", { points: points.map((a) => `${px(a)},${py(at(compute, a))}`).join(" "), fill: "none", ...style });
  const band = { stroke: "var(--live-accent2)", "stroke-width": 8, opacity: 0.45 };
  const thin = { stroke: "var(--live-accent)", "stroke-width": 2 };
  const text = (x, y, words, more) => live.svg("text", { x, y, "font-size": 13, "text-anchor": "middle", ...more }, words);
  const broken = (from, to, words) => [
    live.svg("rect", { x: px(from), y: top, width: px(to) - px(from), height: height - top - bottom, fill: "var(--live-line)", opacity: 0.55 }),
    text((px(from) + px(to)) / 2, top - 8, words),
  ];
  const ticks = [];
  const step = narrow ? 60 : 40;
  for (let a = Math.ceil(low / step) * step; a <= high; a += step) ticks.push(text(px(a), height - bottom + 17, show(a)));
  for (let y = 0; y >= floor; y -= 40) ticks.push(text(left - 7, py(y) + 4, show(y), { "text-anchor": "end" }));
  const frame = live.svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom, fill: "none", stroke: "var(--live-line)" });
  const cursor = live.svg("line", { y1: top, y2: height - bottom, stroke: "var(--live-fg)", "stroke-dasharray": "2 3" });
  const point = live.svg("circle", { r: 5, fill: "var(--live-accent)" });
  const middle = (good[0] + good[good.length - 1]) / 2;
  const picture = live.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" },
    ...broken(low, good[0], "−inf"), ...broken(good[good.length - 1], high, "nan"), frame, ...ticks,
    line(naive, good, band),
    line(stable, steps, thin),
    text((px(low) + px(high)) / 2, height - 6, "logit a"),
    text(px(middle), top - 8, "log-probability of a"), cursor, point);

  const sample = (words, style) =>
    live.el("span", { class: "lse-key" },
      live.svg("svg", { viewBox: "0 0 30 10", width: 30, height: 10, "aria-hidden": "true" }, live.svg("line", { x1: 1, x2: 29, y1: 5, y2: 5, ...style })), words);
  const legend = live.el("div", { class: "lse-legend" }, sample("as written", band), sample("with the shift", thin));

  const tables = live.el("div", { class: "lse-tables" }), words = live.el("p", { class: "lse-verdict", "aria-live": "polite" });
  function table(title, x, rows) {
    const cells = (xs) => xs.map((v) => live.el("td", { class: Number.isFinite(v) ? "" : "lse-bad" }, show(v)));
    const head = live.el("tr", {}, live.el("th", { scope: "col" }, title), ...names.map((n) => live.el("th", { scope: "col" }, n)));
    const body = [["x", x], ...rows].map(([name, xs, number]) => {
      const value = number === undefined ? [] : [" ", live.el("span", {}, show(number))];
      return live.el("tr", {}, live.el("th", { scope: "row" }, name, ...value), ...cells(xs));
    });
    return live.el("div", { class: "live-scroll" }, live.el("table", {}, head, ...body));
  }
  function draw(a) {
    const x = [a, ...value.logits.slice(1)].map(f);
    tables.replaceChildren(table("as written", x, naive(x).rows), table("with the shift", x, stable(x).rows));
    words.textContent = verdict(a, x);
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, px(a));
    point.setAttribute("cx", px(a));
    point.setAttribute("cy", py(at(stable, a)));
  }
  const slider = live.slider({ label: "logit a", min: low, max: high, step: 0.5, value: value.logits[0], show, input: draw });
  root.append(picture, legend, slider.row, words, tables);
  draw(value.logits[0]);
}
