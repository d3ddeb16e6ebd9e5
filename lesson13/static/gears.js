// A train of two or three meshed gears that turn together: the chain rule as a machine.
// value = {teeth: [24, 12, 36], names: ["x", "u", "y"], turn: 0, limits: [8, 48]}; turns are in degrees, clockwise positive.
function mount(root, value, live) {
  const { names, teeth: atFirst, limits: [fewest, most] } = value;
  const count = names.length;
  let teeth = [...atFirst];
  let turn = value.turn;
  let running = false;

  // ---- numbers: a meshed pair passes one tooth for one tooth, so the slope is -(teeth before) / (teeth after) ------------
  const slope = (k) => -teeth[k] / teeth[k + 1];
  const pairsUpTo = (k) => Array.from({ length: k }, (_, i) => i);
  const slopeTo = (k) => pairsUpTo(k).reduce((product, i) => product * slope(i), 1);
  const angle = (k) => turn * slopeTo(k);

  const minus = (text) => text.replace("-", "\u2212");
  const short = (v) => minus(String(Number(v.toFixed(3))));
  const equals = (v) => (Math.abs(v - Number(v.toFixed(3))) < 1e-9 ? "=" : "\u2248");
  const degrees = (v) => `${minus((Math.abs(v) < 0.05 ? 0 : v).toFixed(1))}\u00b0`;
  const set = (element, attributes) => {
    for (const [name, v] of Object.entries(attributes)) element.setAttribute(name, v);
  };

  // ---- the shape of a gear: flanks are involutes of a circle, the curve for which a steady turn gives a steady turn ------
  function outline(z, module) {
    const pressure = (25 * Math.PI) / 180;
    const pitch = (module * z) / 2, base = pitch * Math.cos(pressure);
    const tip = pitch + 0.8 * module, foot = pitch - module;
    const involute = (a) => Math.tan(a) - a;
    const half = (r) => (0.96 * Math.PI) / (2 * z) + involute(pressure) - involute(Math.acos(Math.min(1, base / r)));
    const low = Math.max(foot, base);
    const flank = [0, 0.15, 0.4, 0.7, 1].map((t) => low + t * (tip - low)).map((r) => [r, half(r)]);
    flank.unshift([foot, half(low)]);
    const points = [];
    for (let i = 0; i < z; i += 1) {
      const middle = (2 * Math.PI * i) / z;
      for (const [r, a] of flank) points.push([r, middle - a]);
      for (const [r, a] of [...flank].reverse()) points.push([r, middle + a]);
    }
    return `M${points.map(([r, a]) => `${(r * Math.cos(a)).toFixed(2)},${(r * Math.sin(a)).toFixed(2)}`).join("L")}Z`;
  }

  // ---- the parts ---------------------------------------------------------------------------------------------------------
  const gears = names.map((name, k) => {
    const body = live.svg("path", { class: "gears-body" });
    const zero = live.svg("line", { class: "gears-zero" });
    const hand = live.svg("line", { class: "gears-hand" });
    const hub = live.svg("circle", { class: "gears-hub" });
    const label = live.svg("text", { class: "gears-label", "text-anchor": "middle", dy: "0.35em", text: name });
    const group = live.svg("g", { class: `gears-gear gears-gear-${k}`, "data-gear": k }, body, zero, hand, hub, label);
    return { group, body, zero, hand, hub, label };
  });
  const first = gears[0].group;
  set(first, { role: "slider", tabindex: 0, "aria-label": `Turn of gear ${names[0]} in degrees` });
  const picture = live.svg("svg", { class: "gears-picture", role: "group", "aria-label": "Meshed gears" }, ...gears.map((g) => g.group));

  const rows = names.map((name, k) => {
    const range = live.el("input", {
      type: "range", min: fewest, max: most, step: 1, id: live.id("teeth"), "data-teeth-of": k, "aria-label": `Teeth of gear ${name}`,
    });
    const label = live.el("label", { for: range.id }, name);
    const teethText = live.el("span", { class: "gears-number" });
    const turnText = live.el("span", { class: "gears-number", "data-turned": k });
    range.addEventListener("input", () => { teeth[k] = +range.value; layout(); });
    return { row: live.el("div", { class: `gears-row gears-gear-${k}` }, label, range, teethText, turnText), range, teethText, turnText };
  });

  const pairs = pairsUpTo(count - 1).map((k) => live.el("div", { "data-ratio": k }));
  const product = live.el("div", { class: "gears-product", "data-product": true });
  const sentence = live.el("div", { class: "live-muted", "aria-live": "polite" });
  const play = live.button("", () => (live.reduced ? jump(45) : running ? stop() : go()));
  const reset = live.button("Reset", () => { stop(); teeth = [...atFirst]; turn = value.turn; layout(); });
  set(play, { "data-action": "animate" });
  set(reset, { "data-action": "reset" });
  const box = live.el("div", { class: "gears", "data-gears": count },
    picture, ...rows.map((r) => r.row),
    live.el("div", { class: "live-readout" }, ...pairs, product, sentence),
    live.el("div", { class: "live-controls" }, play, reset,
      live.el("span", { class: "live-muted", text: `Or drag a gear. Or click ${names[0]} and press the arrow keys.` })));
  root.append(box);

  // ---- drawing -----------------------------------------------------------------------------------------------------------
  let width = 0;
  function layout() { // sizes, outlines and slopes: when the teeth or the width of the page change
    width = Math.max(240, Math.min(720, box.clientWidth || 640));
    const height = Math.round(Math.min(300, 0.62 * width));
    const all = teeth.reduce((a, b) => a + b, 0);
    const module = Math.min((width - 12) / (all + 2), (height - 12) / (Math.max(...teeth) + 2));
    set(picture, { viewBox: `0 0 ${width} ${height}`, width, height });
    let left = (width - module * all) / 2;
    gears.forEach((gear, k) => {
      const radius = (module * teeth[k]) / 2;
      const hub = Math.min(14, 0.62 * (radius - module));
      set(gear.group, { transform: `translate(${(left + radius).toFixed(2)} ${height / 2})`, "data-teeth": teeth[k] });
      set(gear.body, { d: outline(teeth[k], module) });
      for (const line of [gear.zero, gear.hand]) set(line, { x1: 0, y1: 0, x2: 0, y2: (1.6 * module - radius).toFixed(2) });
      set(gear.hub, { r: hub.toFixed(2) });
      set(gear.label, { "font-size": Math.min(16, 1.5 * hub).toFixed(1) });
      left += 2 * radius;
      rows[k].range.value = teeth[k];
      rows[k].teethText.textContent = `${teeth[k]} teeth`;
      set(rows[k].range, { "aria-valuetext": `${teeth[k]} teeth` });
    });
    writeSlopes();
    show();
  }

  function writeSlopes() {
    const d = (to, from) => `d${names[to]}/d${names[from]}`;
    pairs.forEach((line, k) => {
      line.textContent = `${d(k + 1, k)} = \u2212${teeth[k]}/${teeth[k + 1]} ${equals(slope(k))} ${short(slope(k))}`;
      set(line, { "data-value": slope(k) });
    });
    const last = count - 1;
    const total = slopeTo(last);
    const left = pairsUpTo(last).map((k) => d(k + 1, k)).join(" \u00b7 ");
    const numbers = pairsUpTo(last).map((k) => `(\u2212${teeth[k]}/${teeth[k + 1]})`).join(" \u00b7 ");
    product.hidden = count < 3;
    product.textContent = `${d(last, 0)} = ${left} = ${numbers} ${equals(total)} ${short(total)}`;
    set(product, { "data-value": total });
    const others = pairsUpTo(last).map((k) => {
      const v = slopeTo(k + 1);
      const times = short(Math.abs(v));
      return `${names[k + 1]} turns ${times === "1" ? "once" : `${times} times`} ${v < 0 ? "the other way" : "the same way"}`;
    });
    sentence.textContent = `While ${names[0]} turns once, ${others.join(" and ")}.`;
  }

  function show() { // only the angles: cheap enough for every frame
    let tooth = turn - 90; // where one tooth of this gear stands; the next gear must hold a gap against it
    gears.forEach((gear, k) => {
      if (k) tooth = 180 + 180 / teeth[k] + tooth * slope(k - 1);
      set(gear.body, { transform: `rotate(${(tooth % 360).toFixed(3)})` });
      set(gear.hand, { transform: `rotate(${(angle(k) % 360).toFixed(3)})` });
      set(gear.group, { "data-angle": Number(angle(k).toFixed(6)) });
      rows[k].turnText.textContent = `turned ${degrees(angle(k))}`;
    });
    const bound = Math.max(3600, Math.ceil(Math.abs(turn)));
    set(first, {
      "aria-valuemin": -bound, "aria-valuemax": bound, "aria-valuenow": Math.round(turn),
      "aria-valuetext": names.map((name, k) => `${name} ${degrees(angle(k))}`).join(", "),
    });
  }

  // ---- turning by hand ---------------------------------------------------------------------------------------------------
  gears.forEach(({ group }, k) => {
    let last = null;
    const direction = (event) => { // from the centre of the gear to the pointer, in degrees
      const centre = group.getScreenCTM();
      return (Math.atan2(event.clientY - centre.f, event.clientX - centre.e) * 180) / Math.PI;
    };
    group.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stop();
      last = direction(event);
      group.setPointerCapture(event.pointerId);
      first.focus({ preventScroll: true });
      event.preventDefault();
    });
    group.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false }); // touch-action on a <g> is not heard
    group.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const now = direction(event);
      turn += (((now - last + 540) % 360) - 180) / slopeTo(k); // the shorter way round
      last = now;
      show();
    });
    for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => { last = null; });
  });

  first.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5, PageUp: 45, PageDown: -45, Home: -turn };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    jump(steps[event.key]);
    event.preventDefault();
  });

  // ---- turning by itself: 45 degrees a second for the first gear, the others by their slopes -------------------------------
  const loop = live.loop((seconds) => { turn += 45 * seconds; show(); });
  function caption() {
    play.textContent = live.reduced ? `Turn ${names[0]} by 45\u00b0` : running ? "Stop" : "Turn the gears";
    set(box, { "data-running": running });
  }
  function go() { running = true; loop.start(); caption(); }
  function stop() { running = false; loop.stop(); caption(); }
  function jump(step) { stop(); turn += step; show(); }

  caption();
  layout();
  new ResizeObserver(() => {
    if (box.clientWidth && Math.abs(Math.min(720, box.clientWidth) - width) > 1) requestAnimationFrame(layout);
  }).observe(box);
}
