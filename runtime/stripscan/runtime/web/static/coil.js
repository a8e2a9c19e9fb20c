import { $, UNKNOWN, badge, classTitle, complain, element, figure, fit, get, mark, moment, number,
  percent, t, word } from "./common.js";
import { List } from "./list.js";
import { CoilMap } from "./map.js";

const asked = new URLSearchParams(location.search);
const map = new CoilMap($("map"));
const state = { coil: null, from: 0, to: 1, classes: new Set(), severities: new Set(), density: [], total: 0 };

function filters(withStretch) {
  const { coil } = state;
  const all = coil.classes.length;
  return {
    coil: coil.id,
    class_name: state.classes.size === all ? [] : [...state.classes, "-"].slice(0, Math.max(state.classes.size, 1)),
    severity: state.severities.size === 3 ? [] : [...state.severities, "-"].slice(0, Math.max(state.severities.size, 1)),
    min_mm2: $("least").value,
    ...(withStretch && (state.from > 0 || state.to < state.coil.length_m) ? { from_m: state.from, to_m: state.to } : {}),
  };
}
const known = (name) => state.coil.classes.find((c) => c.name === name) ?? { ...UNKNOWN, name };

const list = new List($("list"), $("sized"), {
  fetchPage: async (offset, limit) => {
    const [sort, falling] = { along: ["along", false], number: ["number", false] }[$("sort").value] ?? [$("sort").value, true];
    const { total, defects } = await get("/api/defects", { ...filters(true), sort, falling, offset, limit });
    $("count").textContent = number(total);
    return { total, rows: defects };
  },
  rowOf: (d) => {
    const cell = (...inside) => element("span", { role: "gridcell" }, ...inside);
    const name = cell(mark(known(d.class_name)), classTitle(known(d.class_name)));
    name.className = "name";
    return [cell(String(d.number)), name, cell(badge(d.severity)), cell(number(d.along_start_m, 2)),
      cell(`${number(d.across_left_mm)} – ${number(d.across_right_mm)}`),
      cell(`${number(d.length_mm, 1)} × ${number(d.width_mm, 1)}`), cell(number(d.area_mm2, 1))];
  },
  choose: (d) => choose(d.number, false),
});

// ---- one defect ---------------------------------------------------------------------------------
async function choose(n, fromMap) {
  map.chosen = n;
  map.draw();
  if (fromMap) list.show(n);
  try {
    const found = (await get("/api/pictures", { coil: state.coil.id, number: n }))[n];
    if (!found || map.chosen !== n) return;
    const c = known(found.class_name);
    const facts = [
      ["one.surface", word("surface", found.surface)],
      ["one.confidence", `${number(found.confidence * 100)} %`],
      ["one.along", `${number(found.along_start_m, 2)} m`],
      ["one.across", `${number(found.across_left_mm, 1)} – ${number(found.across_right_mm, 1)} mm`],
      ["one.size", `${number(found.length_mm, 1)} × ${number(found.width_mm, 1)} mm`],
      ["one.area", `${number(found.area_mm2, 1)} mm²`],
      ["one.edges", `${number(found.edge_left_mm)} / ${number(found.edge_right_mm)} mm`],
    ];
    $("one").replaceChildren(
      figure(found, c),
      element("p", { className: "at name" }, `№ ${n} · `, mark(c), ` ${classTitle(c)} `, badge(found.severity)),
      element("table", {}, element("tbody", {}, ...facts.map(([key, value]) =>
        element("tr", {}, element("th", { scope: "row" }, t(key)), element("td", { className: "n" }, value))))));
    if (found.along_start_m < state.from || found.along_start_m > state.to) {
      const half = (state.to - state.from) / 2;
      view(found.along_start_m - half, found.along_start_m + half);
    }
  } catch (error) { complain(error); }
}

// ---- stretch and filters ------------------------------------------------------------------------
function view(from, to, quiet = false) {
  const end = state.coil.length_m || 1;
  const span = Math.min(Math.max(to - from, Math.min(0.1, end)), end);
  state.from = Math.min(Math.max(from, 0), end - span);
  state.to = state.from + span;
  $("from").value = state.from.toFixed(2);
  $("to").value = state.to.toFixed(2);
  map.view(state.from, state.to);
  drawDensity();
  if (!quiet) later();
}
const zoom = (factor, at = (state.from + state.to) / 2) =>
  view(at - (at - state.from) * factor, at + (state.to - at) * factor);

let timer = 0;
function later() { clearTimeout(timer); timer = setTimeout(refresh, 180); }
let round = 0;
async function refresh() {
  const mine = ++round;
  try {
    // Where the whole coil has more than a map can show, the stretch that is shown has all of its own.
    const [mapped] = await Promise.all([
      get("/api/map", filters(state.total > 20_000)), list.reset()]);
    if (mine !== round) return;
    map.setDefects(mapped.defects);
    state.density = mapped.density;
    const shown = mapped.defects.number.length;
    $("shown").textContent = shown < mapped.total
      ? t("coil.shown", { shown: number(shown), total: number(mapped.total) }) : "";
    map.draw();
    drawDensity();
    document.body.dataset.drawn = shown;
  } catch (error) { complain(error); }
}

function chip(known_, label, set, inside = []) {
  const button = element("button", { type: "button", "aria-pressed": "true" }, ...inside, label);
  set.add(known_);
  button.onclick = () => {
    if (!set.delete(known_)) set.add(known_);
    button.setAttribute("aria-pressed", String(set.has(known_)));
    later();
  };
  return button;
}
function makeFilters() {
  const { coil } = state;
  $("class-filter").replaceChildren(...coil.classes.map((c) =>
    chip(c.name, `${classTitle(c)} ${number(coil.by_class[c.name] ?? 0)}`, state.classes, [mark(c)])));
  $("severity-filter").replaceChildren(...["critical", "major", "minor"].map((s) =>
    chip(s, `${word("severity", s)} ${number(coil.by_severity[s] ?? 0)}`, state.severities)));
}
function drawDensity() {
  const { context, width, height } = fit($("density"));
  context.clearRect(0, 0, width, height);
  const most = Math.max(1, ...state.density);
  const wide = width / Math.max(state.density.length, 1);
  context.fillStyle = "#6cbcff";
  state.density.forEach((n, i) => {
    if (n) {
      const high = Math.max((n / most) * (height - 6), 2);
      context.fillRect(i * wide, height - high, Math.max(wide - 0.5, 1), high);
    }
  });
  const end = state.coil?.length_m || 1;
  context.strokeStyle = "#ffd54a";
  context.lineWidth = 2;
  context.strokeRect((state.from / end) * width + 1, 1, Math.max(((state.to - state.from) / end) * width - 2, 3), height - 2);
}

// ---- pointer and keys ---------------------------------------------------------------------------
function pointer() {
  const canvas = $("map");
  let grabbed = null;
  canvas.onpointerdown = (event) => {
    grabbed = { x: event.clientX, from: state.from, to: state.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!grabbed) return;
    const shift = event.clientX - grabbed.x;
    if (Math.abs(shift) < 4 && !grabbed.moved) return;
    grabbed.moved = true;
    const perPx = (grabbed.to - grabbed.from) / canvas.clientWidth;
    view(grabbed.from - shift * perPx, grabbed.to - shift * perPx, true);
  };
  canvas.onpointerup = (event) => {
    if (grabbed && !grabbed.moved) {
      const { left, top } = canvas.getBoundingClientRect();
      const n = map.at(event.clientX - left, event.clientY - top);
      if (n !== null) choose(n, true);
    } else if (grabbed) later();
    grabbed = null;
  };
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey && !event.metaKey) return;
    event.preventDefault();
    const { left } = canvas.getBoundingClientRect();
    zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, map.metres(event.clientX - left));
  }, { passive: false });
  canvas.ondblclick = (event) => {
    const { left } = canvas.getBoundingClientRect();
    zoom(0.4, map.metres(event.clientX - left));
  };
  canvas.onkeydown = (event) => {
    const span = state.to - state.from;
    const acts = {
      ArrowLeft: () => view(state.from - span / 4, state.to - span / 4),
      ArrowRight: () => view(state.from + span / 4, state.to + span / 4),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
      0: () => view(0, state.coil.length_m),
    };
    if (acts[event.key] && !event.ctrlKey) { event.preventDefault(); acts[event.key](); }
  };
  const density = $("density");
  let start = null;
  const metres = (event) => {
    const { left, width } = density.getBoundingClientRect();
    return ((event.clientX - left) / width) * state.coil.length_m;
  };
  density.onpointerdown = (event) => { start = metres(event); density.setPointerCapture(event.pointerId); };
  density.onpointermove = (event) => {
    if (start !== null) view(Math.min(start, metres(event)), Math.max(start, metres(event)), true);
  };
  density.onpointerup = () => { start = null; later(); };
}

// ---- all else -----------------------------------------------------------------------------------
function showHead() {
  const { coil } = state;
  document.title = `${coil.id} · ${document.title.split(" · ").pop()}`;
  $("coil-id").textContent = coil.id;
  $("facts").textContent = t("coil.facts", { length: number(coil.length_m, 1), width: number(coil.width_mm),
    status: word("status", coil.status), started: `${moment(coil.started_at)} UTC` });
  const grade = coil.grade ?? "none";
  $("grade").textContent = t(`grade.${grade}`);
  $("grade").className = `grade ${grade}`;
  const id = encodeURIComponent(coil.id);
  $("report").href = `/api/report?coil=${id}`;
  $("csv").href = `/api/report?coil=${id}&kind=csv`;
  $("to-review").href = `/review?id=${id}`;
}
function showSides() {
  const { coil } = state;
  const verdict = (v) => (v === "accept" || v === "downgrade" || v === "hold" ? t(`grade.${v}`) : word("severity", v));
  $("reasons").replaceChildren(...(coil.grading
    ? [element("p", { className: "muted small" }, t("coil.by_rules", { rules: coil.grading.rules })),
      ...coil.grading.reasons.map((r) => element("p", { className: "reason" }, element("b", {}, verdict(r.verdict)), ` ${r.rule ? `${r.rule}: ` : ""}${r.text}`))]
    : [element("p", { className: "muted" }, t("coil.no_grade"))]));
  const rows = Object.entries(coil.totals).map(([status, { metres, percent: share }]) => element("tr", {},
    element("th", { scope: "row" }, element("i", { className: `swatch ${status}` }), ` ${t(`coverage.${status}`)}`),
    element("td", { className: "n" }, `${number(metres, 2)} m`), element("td", { className: "n" }, `${percent(share)} %`)));
  const gaps = coil.coverage.filter(([, , , status]) => status !== "inspected")
    .sort((a, b) => (b[2] - b[1]) - (a[2] - a[1])).slice(0, 8)
    .map(([, start, end, status, reason]) => element("p", { className: "reason small" },
      element("b", {}, `${number(start, 2)} – ${number(end, 2)} m `), `${t(`coverage.${status}`)}${reason ? `: ${reason}` : ""}`));
  $("coverage").replaceChildren(element("table", {}, element("tbody", {}, ...rows)), ...gaps);
  $("rolls").replaceChildren(...(coil.repeats.length ? coil.repeats.map((r) => element("p", { className: "reason" },
    element("b", {}, r.rolls.join(", ") || t("alarm.roll_unknown")), " ", mark(known(r.class_name)), ` ${classTitle(known(r.class_name))}, `,
    t("coil.every", { period_mm: number(r.period_mm, 1), first_m: number(r.first_m, 2), last_m: number(r.last_m, 2), prints: number(r.prints) })))
    : [element("p", { className: "muted" }, t("coil.no_rolls"))]));
}
async function start() {
  let id = asked.get("id");
  if (!id) {
    const { coils } = await get("/api/coils", { limit: 1 });
    if (!coils.length) { $("coil-id").textContent = t("coil.no_coil"); return; }
    id = coils[0].id;
  }
  state.coil = await get("/api/coil", { coil: id });
  state.total = Object.values(state.coil.by_class).reduce((sum, n) => sum + n, 0);
  map.setCoil(state.coil);
  showHead();
  makeFilters();
  showSides();
  pointer();
  view(0, state.coil.length_m, true);
  $("in").onclick = () => zoom(0.5);
  $("out").onclick = () => zoom(2);
  $("whole").onclick = () => view(0, state.coil.length_m);
  for (const id_ of ["from", "to"]) $(id_).onchange = () => view(Number($("from").value), Number($("to").value));
  $("least").oninput = later;
  $("sort").onchange = () => list.reset().catch(complain);
  $("clear").onclick = () => {
    state.classes.clear();
    state.severities.clear();
    $("least").value = "";
    makeFilters();
    view(0, state.coil.length_m);
  };
  addEventListener("resize", drawDensity);
  await refresh();
  if (asked.get("defect")) await choose(Number(asked.get("defect")), true);
}
start().catch(complain);
