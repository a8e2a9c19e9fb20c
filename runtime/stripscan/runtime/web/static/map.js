// The map of a coil: metres to the right, millimetres down, coverage behind, defects in front.
import { SHAPES, STEEL, UNKNOWN, fit, hatch, number, shapeOf } from "./common.js";

const LEFT = 52, RIGHT = 14, TOP = 8, BOTTOM = 24;
const LEAST_PX = 12; // of a mark

export function niceStep(span, most) {
  const rough = span / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

export class CoilMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.coil = null;
    this.classes = new Map();
    this.columns = { number: [], class_name: [], severity: [], start: [], end: [], left: [], right: [] };
    this.from = 0;
    this.to = 1;
    this.chosen = null;
    this.until = null; // how far the coil has come, where it still runs
    new ResizeObserver(() => this.draw()).observe(canvas);
  }
  setCoil(coil) {
    this.coil = coil;
    this.classes = new Map(coil.classes.map((c) => [c.name, c]));
  }
  setDefects(columns) { this.columns = columns; }
  add(columns) {
    const known = new Set(this.columns.number);
    columns.number.forEach((n, i) => {
      if (known.has(n)) return;
      for (const key of Object.keys(this.columns)) this.columns[key].push(columns[key][i]);
    });
  }
  view(from, to) { this.from = from; this.to = Math.max(to, from + 0.01); this.draw(); }
  x(m) { return LEFT + ((m - this.from) / (this.to - this.from)) * (this.width - LEFT - RIGHT); }
  y(mm) { return TOP + (mm / Math.max(this.coil.width_mm, 1)) * (this.height - TOP - BOTTOM); }
  metres(x) { return this.from + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (this.to - this.from); }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }
  paint() {
    const { context, width, height } = fit(this.canvas);
    Object.assign(this, { width, height });
    context.clearRect(0, 0, width, height);
    if (!this.coil || width < LEFT + RIGHT + 10) return;
    context.save();
    context.beginPath();
    context.rect(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM);
    context.clip();
    this.paintCoverage(context);
    this.paintRolls(context);
    this.paintDefects(context);
    context.restore();
    this.paintAxes(context);
  }
  paintCoverage(context) {
    // Behind everything stands what is not known; only what was inspected is painted as metal.
    const top = TOP, high = this.height - TOP - BOTTOM;
    for (const [, start, end, status] of this.coil.coverage) {
      if (end < this.from || start > this.to) continue;
      const x = this.x(start);
      // What was not inspected must be seen, however short.
      const wide = Math.max(this.x(end) - x, status === "inspected" ? 0 : 2);
      context.fillStyle = status === "inspected" ? STEEL : hatch(context, status);
      context.fillRect(x, top, wide + 0.5, high);
    }
  }
  paintRolls(context) {
    context.strokeStyle = "#ffffff";
    context.setLineDash([7, 5]);
    context.lineWidth = 1.5;
    for (const roll of this.coil.repeats) {
      context.beginPath();
      context.moveTo(this.x(roll.first_m), this.y(roll.across_mm));
      context.lineTo(this.x(roll.last_m), this.y(roll.across_mm));
      context.stroke();
    }
    context.setLineDash([]);
  }
  paintDefects(context) {
    const { columns } = this;
    const kinds = new Map();
    const kind = (name) => {
      if (!kinds.has(name)) {
        const known = this.classes.get(name) ?? UNKNOWN;
        kinds.set(name, { colour: known.colour, shape: shapeOf(known.id), boxes: new Path2D(), marks: new Path2D() });
      }
      return kinds.get(name);
    };
    for (let i = 0; i < columns.number.length; i++) {
      if (columns.end[i] < this.from || columns.start[i] > this.to) continue;
      const of = kind(columns.class_name[i]);
      const x = this.x(columns.start[i]), y = this.y(columns.left[i]);
      const wide = this.x(columns.end[i]) - x, high = this.y(columns.right[i]) - y;
      if (wide > LEAST_PX || high > LEAST_PX) {
        of.boxes.rect(x - Math.max(2 - wide, 0) / 2, y - Math.max(2 - high, 0) / 2,
          Math.max(wide, 2), Math.max(high, 2));
      }
      if (wide <= LEAST_PX || high <= LEAST_PX) stamp(of.marks, of.shape, x + wide / 2, y + high / 2);
    }
    context.lineWidth = 1;
    context.strokeStyle = "#0b1015";
    for (const part of ["boxes", "marks"]) {
      for (const of of kinds.values()) {
        context.fillStyle = of.colour;
        context.fill(of[part]);
        context.stroke(of[part]);
      }
    }
    this.paintChosen(context);
  }
  paintChosen(context) {
    const i = this.columns.number.indexOf(this.chosen);
    if (i < 0) return;
    const { columns } = this;
    const x = this.x(columns.start[i]), y = this.y(columns.left[i]);
    const wide = this.x(columns.end[i]) - x, high = this.y(columns.right[i]) - y;
    for (const [colour, line] of [["#0b1015", 6], ["#ffffff", 3]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(x - 9, y - 9, wide + 18, high + 18);
    }
  }
  paintAxes(context) {
    context.fillStyle = "#cfd9e1";
    context.font = "13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    const step = niceStep(this.to - this.from, this.width / 110);
    const decimals = Math.max(0, -Math.floor(Math.log10(step)));
    for (let m = Math.ceil(this.from / step) * step; m <= this.to + 1e-9; m += step) {
      const x = this.x(m);
      context.fillRect(x, this.height - BOTTOM, 1, 5);
      if (x < this.width - 30) context.fillText(`${number(m, decimals)} m`, x, this.height - 5);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    const wide = this.coil.width_mm;
    const across = niceStep(wide, 4);
    for (let mm = 0; mm <= wide; mm += across) {
      context.fillText(number(mm), LEFT - 8, Math.max(this.y(mm), 9));
      context.fillRect(LEFT - 5, this.y(mm), 5, 1);
    }
  }
  /** Number of the defect nearest to a place on the canvas, or null. */
  at(x, y) {
    let best = null, least = 14 ** 2;
    const { columns } = this;
    for (let i = 0; i < columns.number.length; i++) {
      const left = this.x(columns.start[i]), right = this.x(columns.end[i]);
      if (right < 0 || left > this.width) continue;
      const top = this.y(columns.left[i]), bottom = this.y(columns.right[i]);
      const dx = Math.max(left - x, 0, x - right), dy = Math.max(top - y, 0, y - bottom);
      const away = dx * dx + dy * dy;
      if (away < least) { least = away; best = columns.number[i]; }
    }
    return best;
  }
}

const UNIT = LEAST_PX / 16;
const outlines = Object.fromEntries(Object.entries(SHAPES).map(([k, d]) => [k, new Path2D(d)]));
function stamp(path, shape, x, y) {
  path.addPath(outlines[shape], new DOMMatrix([UNIT, 0, 0, UNIT, x - LEAST_PX / 2, y - LEAST_PX / 2]));
}
