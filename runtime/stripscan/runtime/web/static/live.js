import { $, UNKNOWN, badge, classTitle, complain, element, figure, get, mark, mayReview, number,
  percent, post, t, word } from "./common.js";
import { CoilMap, niceStep } from "./map.js";
import { Strip } from "./strip.js";

const strip = new Strip($("strip"));
const map = new CoilMap($("map"));
const SILENCE_MS = 4000;
const LOSS_MEMORY_MS = 10_000; // as long as the station itself counts as degraded
let coil = null, station = null, latest = [], alarms = [], storeTrouble = "";
let heard = 0, connected = false;
let lostBefore = Infinity, losingSince = -Infinity;

const text = (id, value) => { const e = $(id); if (e.textContent !== value) e.textContent = value; };

function showStation() {
  const state = station ? station.state : "unreachable";
  text("state", word("state", state));
  $("state").className = `state ${state}`;
  strip.speed = station?.speed_m_s ?? 0;
  text("speed", station ? number(station.speed_m_s * 60) : "–");
  text("latency", station ? number(station.latency_p99_ms) : "–");
  text("median", station?.latency_p50_ms != null ? t("live.median", { ms: number(station.latency_p50_ms) }) : "");
  const lost = station ? station.dropped_blocks + station.lost_lines : 0;
  if (lost > lostBefore) losingSince = performance.now();
  lostBefore = lost;
  const losing = performance.now() - losingSince < LOSS_MEMORY_MS;
  text("camera", station ? t(losing ? "live.camera_losing" : "live.camera_good") : "–");
  text("losses", lost
    ? t("live.losses", { blocks: number(station.dropped_blocks), lines: number(station.lost_lines) }) : "");
  $("tile-camera").classList.toggle("bad", losing);
  $("tile-camera").classList.toggle("warn", lost > 0);
}

function showCoil() {
  if (!coil) return;
  text("coil-id", coil.id);
  text("length", number(coil.length_m, coil.length_m < 1000 ? 1 : 0));
  const planned = coil.planned_m ?? station?.coil?.planned_length_m;
  text("planned", planned ? t("live.planned", { metres: number(planned) }) : "");
  const count = Object.values(coil.by_class).reduce((sum, n) => sum + n, 0);
  text("defects", number(count));
  text("total", t("live.all", { count: number(count) }));
  const of = (name) => number(coil.by_severity[name] ?? 0);
  text("severities", t("live.severities", { critical: of("critical"), major: of("major"), minor: of("minor") }));
  text("inspected", percent(coil.totals.inspected.percent));
  const blind = ["degraded", "dropped", "unknown"].reduce((sum, s) => sum + coil.totals[s].metres, 0);
  text("blind", blind > 0 ? t("live.not_inspected", { metres: number(blind, 2) }) : t("live.all_inspected"));
  $("tile-inspected").classList.toggle("bad", blind > 0);
  map.setCoil(coil);
  strip.setCoil(coil);
  const room = planned && planned >= coil.length_m ? planned : coil.length_m;
  const end = coil.ended_at || planned ? room : Math.ceil(room / niceStep(room || 1, 4)) * niceStep(room || 1, 4);
  map.view(0, end || 1);
  text("strip-at", strip.where());
}

function showLegend() {
  const items = coil.classes.map((known) =>
    element("li", {}, mark(known), classTitle(known)));
  for (const status of ["inspected", "degraded", "dropped", "unknown"]) {
    items.push(element("li", {}, element("i", { className: `swatch ${status}` }), t(`coverage.${status}`)));
  }
  $("legend").replaceChildren(...items);
}

function card(defect) {
  const known = coil.classes.find((c) => c.name === defect.class_name) ?? { ...UNKNOWN, name: defect.class_name };
  const link = element("a", { href: `/coil?id=${encodeURIComponent(coil.id)}&defect=${defect.number}` }, `№ ${defect.number}`);
  return element("li", { className: `defect ${defect.severity}` },
    figure(defect, known),
    element("p", { className: "name" }, mark(known), classTitle(known)),
    element("p", { className: "split" },
      element("span", { className: "at" }, `${number(defect.along_start_m, 2)} m`), badge(defect.severity)),
    element("p", { className: "muted small" },
      `${number(defect.length_mm, 1)} × ${number(defect.width_mm, 1)} mm · `, link));
}
function showLatest() {
  if (!coil) return;
  $("latest").replaceChildren(...(latest.length
    ? latest.slice(0, 8).map(card) : [element("li", { className: "muted" }, t("live.none"))]));
}

function alarmLine(alarm) {
  const values = { ...alarm.values };
  for (const [key, value] of Object.entries(values)) if (typeof value === "number") values[key] = number(value, Number.isInteger(value) ? 0 : 2);
  if ("rolls" in values) values.rolls ||= t("alarm.roll_unknown");
  if ("class_name" in values) values.class_name = word("class", values.class_name);
  const line = element("li", { className: `alarm ${alarm.level}${alarm.seen_by ? " seen" : ""}` },
    element("span", {}, t(`alarm.${alarm.kind}`, values)));
  if (alarm.seen_by) line.append(t("alarm.seen_by", { user: alarm.seen_by }));
  else if (mayReview && alarm.key) {
    const seen = element("button", { type: "button" }, t("alarm.seen"));
    seen.onclick = () => post("/api/alarms/seen", { alarm: alarm.key }).catch(complain);
    line.append(seen);
  }
  return line;
}
let shownAlarms = "";
function showAlarms() {
  const all = [...alarms];
  if (storeTrouble) all.unshift({ kind: "store", level: "critical", values: { reason: storeTrouble } });
  const now = JSON.stringify(all);
  if (now === shownAlarms) return; // a screen reader must not hear it twice
  shownAlarms = now;
  $("alarms").replaceChildren(...all.map(alarmLine));
}

async function wholeMap() {
  if (!coil) return;
  const asked = coil.id;
  try {
    const { defects } = await get("/api/map", { coil: asked });
    if (coil.id === asked) { map.setDefects(defects); map.draw(); }
  } catch (error) { if (!error.status) return; complain(error); }
}

function showLink() {
  const alive = connected && performance.now() - heard < SILENCE_MS;
  const fresh = alive && station !== null;
  text("link", t(alive ? "live.connected" : "live.lost"));
  $("link").classList.toggle("lost", !alive);
  document.body.dataset.live = fresh;
  if (fresh) strip.seen = new Date().toLocaleTimeString(document.documentElement.lang);
  if (strip.live !== fresh) { strip.live = fresh; strip.draw(); }
}

const on = {
  station: (value) => { station = value; showStation(); showCoil(); },
  coil: (value) => {
    const changed = coil?.id !== value.id;
    coil = value;
    if (changed) { showLegend(); map.setDefects({ number: [], class_name: [], severity: [], start: [], end: [], left: [], right: [] }); wholeMap(); }
    showCoil();
  },
  latest: (value) => { latest = value; strip.setLatest(value); showLatest(); },
  alarms: (value) => { alarms = value; showAlarms(); },
  store: (value) => { storeTrouble = value; showAlarms(); },
  bands: (value) => strip.addBands(value).then(() => text("strip-at", strip.where())),
  fresh: (value) => { map.add(value); strip.addBoxes(value); map.draw(); },
  beat: () => {},
};
function connect() {
  const source = new EventSource("/api/live");
  source.onopen = () => { connected = true; heard = performance.now(); wholeMap(); showLink(); };
  source.onerror = () => {
    connected = false;
    showLink();
    if (source.readyState === EventSource.CLOSED) {
      // Refused for good: logged out, or the server is still starting.
      source.close();
      setTimeout(() => get("/api/me").then(connect, () => setTimeout(connect, 1000)), 1000);
    }
  };
  for (const [name, act] of Object.entries(on)) {
    source.addEventListener(name, (event) => { heard = performance.now(); act(JSON.parse(event.data)); });
  }
}
setInterval(() => { showLink(); showStation(); }, 500);
setInterval(wholeMap, 20_000);
connect();
