// What all pages share: texts, numbers, requests, small elements.
export const language = document.documentElement.lang;
export const role = document.querySelector("meta[name=role]").content;
const token = document.querySelector("meta[name=csrf]").content;
const words = (await (await fetch("/static/texts.json")).json())[language];

export const $ = (id) => document.getElementById(id);
export const mayReview = role !== "viewer";

export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "–");
}
/** A word of a closed list that the daemon or a bundle may widen: then it stands as it is. */
export const word = (list, name) => words[`${list}.${name}`] ?? String(name ?? "–");

const formats = new Map();
export function number(value, decimals = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!formats.has(decimals)) {
    formats.set(decimals, new Intl.NumberFormat(language, {
      minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  return formats.get(decimals).format(value);
}
/** A share that never rounds up: 99.999 % inspected must not read as 100 %. */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  return value === 100 || value === 0 ? number(value) : number(Math.floor(value * 100) / 100, 2);
}
export const moment = (iso) => iso
  ? new Date(iso).toLocaleString(language, { timeZone: "UTC", dateStyle: "medium", timeStyle: "short" })
  : "–";

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}
const SVG = "http://www.w3.org/2000/svg";
export function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export class Refused extends Error {
  constructor(status, reason) { super(reason); this.status = status; }
}
export async function get(path, query = {}) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== "" && each !== null && each !== undefined) search.append(key, each);
    }
  }
  return answer(await fetch(`${path}?${search}`));
}
export async function post(path, body = {}) {
  return answer(await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
  }));
}
async function answer(response) {
  if (response.status === 401 && document.documentElement.dataset.page !== "login") {
    location.assign("/login");
  }
  if (response.status === 204) return null;
  const said = await response.json().catch(() => ({}));
  if (!response.ok) {
    const reason = said.error ?? said.detail;
    const text = typeof reason === "string" ? reason : JSON.stringify(reason ?? response.status);
    throw Object.assign(new Refused(response.status, text),
      { wait: Number(response.headers.get("Retry-After")) });
  }
  return said;
}
let silence = 0;
export function complain(error) {
  const box = $("message");
  box.textContent = t("error", { reason: error.message });
  box.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => { box.hidden = true; }, 8000);
}

// ---- classes: a colour and a shape each, so that nobody needs to see colours -------------------
export const SHAPES = {
  circle: "M8 2a6 6 0 1 0 .01 0z",
  square: "M2.5 2.5h11v11h-11z",
  triangle: "M8 1.5 15 14H1z",
  diamond: "M8 .8 15.2 8 8 15.2.8 8z",
  cross: "M5.5 1h5v4.5H15v5h-4.5V15h-5v-4.5H1v-5h4.5z",
  bar: "M.8 5h14.4v6H.8z",
};
const ORDER = Object.keys(SHAPES);
export const shapeOf = (id) => ORDER[Math.max(id - 1, 0) % ORDER.length];
export const UNKNOWN = { id: 1, name: "", title: "", colour: "#b7c3cd" };
export function mark(known) {
  return svg("svg", { viewBox: "0 0 16 16", class: "mark", "aria-hidden": "true" },
    svg("path", { d: SHAPES[shapeOf(known.id)], fill: known.colour, stroke: "#0b1015" }));
}
export const classTitle = (known) => words[`class.${known.name}`] ?? (known.title || known.name);

/** The picture of a defect with the outline of its mask, or words that there is none. */
export function figure(defect, known) {
  const picture = defect.picture;
  if (!picture) return element("div", { className: "figure" }, t("coil.no_picture"));
  const { uri, width, height, outline } = picture;
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${classTitle(known)}, ${number(defect.along_start_m, 2)} m` },
    svg("image", { href: uri, width, height }));
  for (const [stroke, line] of [["#0b1015", 3.2], [known.colour, 1.6]]) {
    drawn.append(svg("path", { d: outline, class: "outline", fill: "none", stroke,
      "stroke-width": line, "vector-effect": "non-scaling-stroke" }));
  }
  return element("div", { className: "figure" }, drawn);
}
export const badge = (severity) =>
  element("span", { className: `badge ${severity}` }, word("severity", severity));

/** Fit a canvas to its place and return its context and size, in CSS pixels. */
export function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = Math.min(devicePixelRatio || 1, 2);
  const wide = Math.round(width * scale), high = Math.round(height * scale);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

// ---- what was not inspected is hatched, and never looks like clean metal ------------------------
const HATCHES = {
  degraded: ["#4b6577", "#ffb84d", 10, 2.5],
  dropped: ["#1d0b09", "#ff6a5c", 9, 4],
  unknown: ["#1a2026", "#e8eef3", 11, 2.5],
};
const patterns = new Map();
export function hatch(context, status) {
  const [back, front, size, line] = HATCHES[status] ?? HATCHES.unknown;
  if (!patterns.has(status)) {
    const tile = new OffscreenCanvas(size, size);
    const pen = tile.getContext("2d");
    pen.fillStyle = back;
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = front;
    pen.lineWidth = line;
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift - 2, size + 2);
      pen.lineTo(shift + size + 2, -2);
    }
    pen.stroke();
    patterns.set(status, tile);
  }
  return context.createPattern(patterns.get(status), "repeat");
}
export const STEEL = "#4b6577";

const logout = $("logout");
if (logout) {
  logout.onclick = async () => {
    await post("/api/logout").catch(complain);
    location.assign("/login");
  };
}
