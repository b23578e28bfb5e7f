// A bar for every month, over which a period is dragged.

import { make } from "./elements.js";
import { counted, takenAt } from "./words.js";

const HEIGHT = 64;
const NARROWEST_BAR = 3;

export class MonthChart {
  /** `facets` are months and years with their numbers of photos. `onPick(begin, end)` is called
   * with the two months of a period, `onPreview` while it is dragged.
   */
  constructor(facets, { onPick, onPreview }) {
    this.months = new Map();
    for (const { value, photos } of facets) {
      // A photo whose date is only a year counts for its January here.
      const [year, month] = value.split("-").map(Number);
      const index = year * 12 + (month || 1) - 1;
      this.months.set(index, (this.months.get(index) ?? 0) + photos);
    }
    const known = [...this.months.keys()];
    this.first = Math.min(...known);
    this.last = Math.max(...known);
    this.onPick = onPick;
    this.onPreview = onPreview;
    this.canvas = make("canvas", {
      role: "img",
      "aria-label": `Photos by month, from ${takenAt(named(this.first))} to ${
        takenAt(named(this.last))}. The fields below choose a period.`,
    });
    this.caption = make("p", { class: "months-caption" });
    this.element = make("div", { class: "months" }, this.canvas, this.caption);
    this.listen();
  }

  listen() {
    let begin = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      begin = this.binAt(event);
      this.canvas.setPointerCapture(event.pointerId);
      this.choose(begin, begin);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const here = this.binAt(event);
      if (begin === null) this.tell(here);
      else this.choose(Math.min(begin, here), Math.max(begin, here));
    });
    this.canvas.addEventListener("pointerleave", () => begin === null && this.tell(null));
    this.canvas.addEventListener("pointerup", (event) => {
      if (begin === null) return;
      const here = this.binAt(event);
      const [from, until] = this.period(Math.min(begin, here), Math.max(begin, here));
      begin = null;
      this.onPick(named(from), named(until));
    });
    this.canvas.addEventListener("pointercancel", () => {
      begin = null;
      this.draw();
    });
  }

  /** Sum up months into bars that are wide enough to be seen. */
  divide() {
    const width = this.canvas.clientWidth || 220;
    const months = this.last - this.first + 1;
    this.monthsOfBar = Math.max(1, Math.ceil((months * NARROWEST_BAR) / width));
    this.bars = new Array(Math.ceil(months / this.monthsOfBar)).fill(0);
    for (const [index, photos] of this.months) {
      this.bars[Math.floor((index - this.first) / this.monthsOfBar)] += photos;
    }
    this.barWidth = Math.min(24, width / this.bars.length);
    return width;
  }

  draw(chosen = null) {
    const width = this.divide();
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = HEIGHT * devicePixelRatio;
    const pen = this.canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.canvas);
    const most = Math.max(...this.bars);
    this.bars.forEach((photos, place) => {
      const height = photos ? Math.max(2, (HEIGHT - 4) * Math.sqrt(photos / most)) : 1;
      const isChosen = chosen && place >= chosen[0] && place <= chosen[1];
      pen.fillStyle = style.getPropertyValue(isChosen ? "--accent" : "--line-strong");
      const gap = this.barWidth > 4 ? 1 : 0.5;
      pen.fillRect(place * this.barWidth, HEIGHT - height, this.barWidth - gap, height);
    });
    if (!chosen) this.tell(null);
  }

  binAt(event) {
    const left = event.clientX - this.canvas.getBoundingClientRect().left;
    return Math.min(this.bars.length - 1, Math.max(0, Math.floor(left / this.barWidth)));
  }

  period(begin, end) {
    const until = Math.min(this.last, this.first + (end + 1) * this.monthsOfBar - 1);
    return [this.first + begin * this.monthsOfBar, until];
  }

  choose(begin, end) {
    this.draw([begin, end]);
    const [from, until] = this.period(begin, end);
    this.onPreview(named(from), named(until));
    const photos = this.bars.slice(begin, end + 1).reduce((sum, count) => sum + count, 0);
    this.caption.textContent = `${inWords(from, until)}: ${counted(photos, "photo")}`;
  }

  /** Tell what a bar stands for, or for null the whole period. */
  tell(bar) {
    const [from, until] = bar === null ? [this.first, this.last] : this.period(bar, bar);
    const photos = bar === null ? "" : `: ${counted(this.bars[bar], "photo")}`;
    this.caption.textContent = `${inWords(from, until)}${photos}`;
  }
}

/** Return a month as the query language writes it. */
function named(index) {
  const month = String((index % 12) + 1).padStart(2, "0");
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${month}`;
}

function inWords(from, until) {
  const begin = takenAt(named(from));
  return from === until ? begin : `${begin} – ${takenAt(named(until))}`;
}
