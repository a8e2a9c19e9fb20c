// A list of any length: rows that are seen are asked for in pages, all others are only room.
import { element } from "./common.js";

const ROW_PX = 40, PAGE = 100;

export class List {
  /**
   * @param box scrolls; @param room is as high as all rows
   * @param fetchPage (offset, limit) => Promise<{total, rows}>
   * @param rowOf row => cells; @param choose called with a row
   */
  constructor(box, room, { fetchPage, rowOf, choose }) {
    Object.assign(this, { box, room, fetchPage, rowOf, choose });
    this.pages = new Map();
    this.total = 0;
    this.active = -1;
    this.round = 0;
    box.addEventListener("scroll", () => this.draw());
    box.addEventListener("keydown", (event) => this.key(event));
    room.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.activate(Number(row.dataset.at));
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }
  async reset() {
    this.round += 1;
    this.pages.clear();
    this.active = -1;
    this.box.scrollTop = 0;
    await this.need(0);
  }
  async need(page) {
    if (this.pages.has(page)) return;
    const round = this.round;
    this.pages.set(page, null);
    try {
      const { total, rows } = await this.fetchPage(page * PAGE, PAGE);
      if (round !== this.round) return;
      this.total = total;
      this.pages.set(page, rows);
      this.box.setAttribute("aria-rowcount", total);
      this.room.style.height = `${total * ROW_PX}px`;
      this.draw();
    } catch (error) {
      if (round === this.round) this.pages.delete(page);
      throw error;
    }
  }
  at(i) { return this.pages.get(Math.floor(i / PAGE))?.[i % PAGE]; }
  draw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }
  paint() {
    const first = Math.max(Math.floor(this.box.scrollTop / ROW_PX) - 4, 0);
    const last = Math.min(first + Math.ceil(this.box.clientHeight / ROW_PX) + 9, this.total);
    const rows = [];
    for (let i = first; i < last; i++) {
      const known = this.at(i);
      if (!known) { this.need(Math.floor(i / PAGE)).catch(() => {}); continue; }
      const row = element("div", { className: "row", role: "row", id: `row-${i}`, "aria-rowindex": i + 1,
        "aria-selected": String(i === this.active) }, ...this.rowOf(known));
      row.dataset.at = i;
      row.style.top = `${i * ROW_PX}px`;
      rows.push(row);
    }
    this.room.replaceChildren(...rows);
    if (this.active >= first && this.active < last) this.box.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.box.removeAttribute("aria-activedescendant");
  }
  key(event) {
    const leap = Math.floor(this.box.clientHeight / ROW_PX) - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: leap, PageUp: -leap, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.activate(Math.min(Math.max(this.active + steps[event.key], 0), this.total - 1));
  }
  async activate(i) {
    if (i < 0 || i >= this.total) return;
    this.active = i;
    const top = i * ROW_PX;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW_PX > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW_PX - this.box.clientHeight;
    await this.need(Math.floor(i / PAGE)).catch(() => {});
    this.paint();
    const row = this.at(i);
    if (row && this.active === i) this.choose(row);
  }
  /** Mark the row of a defect if it is loaded, without choosing it again. */
  show(number) {
    for (const [page, rows] of this.pages) {
      const k = rows?.findIndex((row) => row.number === number) ?? -1;
      if (k >= 0) {
        this.active = page * PAGE + k;
        this.box.scrollTop = Math.max(this.active * ROW_PX - this.box.clientHeight / 2, 0);
      }
    }
    this.draw();
  }
}
