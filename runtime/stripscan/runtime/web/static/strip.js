// The strip as it passes: the newest on the right, moving left, defects filled in their colour.
import { UNKNOWN, fit, hatch, number, t } from "./common.js";

const KEPT = 96;
const still = matchMedia("(prefers-reduced-motion: reduce)");

async function picture(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
}

export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    this.bands = [];
    this.boxes = new Map();
    this.latest = [];
    this.classes = new Map();
    this.mmPerLine = 1;
    this.shownM = null;
    this.speed = 0;
    this.live = true;
    this.last = 0;
    this.adding = Promise.resolve();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }
  setCoil(coil) {
    this.classes = new Map(coil.classes.map((c) => [c.name, c]));
    this.mmPerLine = coil.mm_per_line;
    this.mmPerPx = coil.mm_per_px;
    if (this.coil !== coil.id) {
      this.coil = coil.id;
      this.clear();
    }
  }
  clear() {
    this.bands = [];
    this.boxes.clear();
    this.shownM = null;
    this.draw();
  }
  /** Pictures take their time to be decoded, and must not overtake those before them. */
  addBands(bands) {
    this.adding = this.adding.then(() => this.decode(bands));
    return this.adding;
  }
  async decode(bands) {
    const made = await Promise.all(bands.map(async (band) => ({ ...band, image: await picture(band.jpeg) })));
    for (const band of made) {
      const last = this.bands.at(-1);
      if (band.coil !== this.coil) { band.image.close(); continue; }
      if (last && band.first_line < last.first_line) this.clear();
      if (last && band.first_line === last.first_line) { band.image.close(); continue; }
      this.bands.push(band);
    }
    for (const old of this.bands.splice(0, Math.max(this.bands.length - KEPT, 0))) old.image.close();
    const first = this.bands[0]?.along_start_m ?? 0;
    for (const [n, box] of this.boxes) if (box.end < first) this.boxes.delete(n);
    this.draw();
  }
  addBoxes(columns) {
    columns.number.forEach((n, i) => this.boxes.set(n, {
      name: columns.class_name[i], start: columns.start[i], end: columns.end[i],
      first: columns.first_px[i], last: columns.last_px[i] }));
    this.draw();
  }
  setLatest(latest) {
    this.latest = latest;
    for (const d of latest) {
      this.boxes.set(d.number, { name: d.class_name, start: d.along_start_m, end: d.along_end_m,
        first: d.first_px, last: d.last_px });
    }
    this.draw();
  }
  draw() {
    if (!this.waiting) this.waiting = requestAnimationFrame((now) => { this.waiting = 0; this.paint(now); });
  }
  /** How many metres are shown: true to scale where the strip is slow enough to be followed. */
  span(width, height) {
    const across = (this.bands[0]?.width_px ?? 1) * (this.mmPerPx ?? 1) / 1000;
    const trueSpan = (across * width) / height;
    const known = this.bands.length
      ? this.bands.at(-1).along_end_m - this.bands[0].along_start_m : trueSpan;
    return Math.max(trueSpan, Math.min(known, this.speed * 4, 3 * trueSpan));
  }
  paint(now) {
    const { context, width, height } = fit(this.canvas);
    const passed = Math.min((now - this.last) / 1000, 0.25);
    this.last = now;
    context.clearRect(0, 0, width, height);
    const newest = this.bands.at(-1);
    if (!newest) {
      this.say(context, t("live.nothing"), width, height);
      return;
    }
    const target = newest.along_end_m;
    const span = this.span(width, height);
    if (this.shownM === null || still.matches || target - this.shownM > span) this.shownM = target;
    // Follow a quarter of a second behind, so that bands that come together do not jerk.
    const ahead = target - this.shownM;
    this.shownM = Math.min(target, this.shownM + Math.max(ahead * 4, this.speed * 0.5) * passed);
    const scale = width / span;
    const x = (m) => width - (this.shownM - m) * scale;
    this.paintBands(context, x, scale, height);
    this.paintDefects(context, x, scale, height, newest.width_px);
    this.paintEnd(context, x, width, height);
    if (ahead > 1e-4) this.draw();
  }
  paintBands(context, x, scale, height) {
    for (const band of this.bands) {
      const left = x(band.along_start_m), wide = (band.along_end_m - band.along_start_m) * scale;
      if (left + wide < 0 || wide <= 0) continue;
      // Lines run to the right and columns down: the picture is turned over its diagonal.
      context.save();
      context.transform(0, height / band.image.width, wide / band.image.height, 0, left, 0);
      context.drawImage(band.image, 0, 0);
      context.restore();
      const lines = band.stop_line - band.first_line;
      for (const [start, stop, status] of band.not_inspected) {
        const from = left + ((start - band.first_line) / lines) * wide;
        const long = Math.max(((stop - start) / lines) * wide, 2);
        context.save();
        context.globalAlpha = status === "degraded" ? 0.35 : 1;
        context.fillStyle = hatch(context, status);
        context.fillRect(from, 0, long, height);
        context.restore();
      }
    }
  }
  paintDefects(context, x, scale, height, widthPx) {
    const perPx = height / widthPx;
    for (const d of this.latest) {
      const p = d.picture;
      if (!p || !p.outline) continue;
      const known = this.classes.get(d.class_name) ?? UNKNOWN;
      const metre = (this.mmPerLine / 1000) * scale;
      const at = x(d.along_start_m) + (p.first_line - d.first_line) * metre;
      context.save();
      context.transform(0, (p.columns / p.width) * perPx, (p.lines / p.height) * metre, 0, at, p.first_px * perPx);
      const path = new Path2D(p.outline);
      context.fillStyle = `${known.colour}88`;
      context.fill(path, "evenodd");
      context.restore();
    }
    for (const [n, box] of this.boxes) {
      const known = this.classes.get(box.name) ?? UNKNOWN;
      const left = x(box.start), wide = (box.end - box.start) * scale;
      if (left + wide < 0) continue;
      const top = box.first * perPx, high = (box.last + 1 - box.first) * perPx;
      for (const [colour, line] of [["#0b1015", 5], [known.colour, 2.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.strokeRect(left - 4, top - 4, wide + 8, high + 8);
      }
      const label = `${n}`;
      context.font = "bold 14px system-ui, sans-serif";
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      const y = top > 24 ? top - 9 : top + high + 21;
      context.fillStyle = "#0b1015";
      context.fillRect(left - 5, y - 14, context.measureText(label).width + 10, 19);
      context.fillStyle = known.colour;
      context.fillText(label, left, y);
    }
  }
  paintEnd(context, x, width, height) {
    const head = x(0);
    if (head > 0) {
      context.fillStyle = "#10161b";
      context.fillRect(0, 0, head, height);
      context.fillStyle = "#cfd9e1";
      context.fillRect(head - 2, 0, 2, height);
    }
    if (!this.live) {
      context.save();
      context.globalAlpha = 0.72;
      context.fillStyle = hatch(context, "unknown");
      context.fillRect(0, 0, width, height);
      context.restore();
      this.say(context, t("live.stale", { time: this.seen ?? "–" }), width, height);
    }
  }
  say(context, text, width, height) {
    context.font = "600 20px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const wide = context.measureText(text).width + 32;
    context.fillStyle = "#10161b";
    context.fillRect((width - wide) / 2, height / 2 - 20, wide, 40);
    context.fillStyle = "#f1f5f8";
    context.fillText(text, width / 2, height / 2);
  }
  where() {
    const last = this.bands.at(-1);
    return last ? `${number(this.bands[0].along_start_m, 1)} – ${number(last.along_end_m, 1)} m` : "";
  }
}
