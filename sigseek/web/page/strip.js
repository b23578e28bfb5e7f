// The strip beside the grid: it shows where in the list the window is, and jumps by date or by
// probability.

import { make } from "./elements.js";
import { isDated, marks } from "./layout.js";
import { counted, inFigures, periodOf, probability } from "./words.js";

/** Pixels between two labels, and kept free at both ends. */
const APART = 22;
const MARGIN = 22;

export class Strip {
  constructor(element, grid) {
    this.element = element;
    this.grid = grid;
    this.thumb = make("div", { class: "strip-thumb" });
    this.bubble = make("div", { class: "strip-bubble", hidden: true });
    this.labels = make("div", { class: "strip-labels", "aria-hidden": "true" });
    this.element.append(this.labels, this.thumb, this.bubble);
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: "0", "aria-orientation": "vertical", "aria-valuemin": "1",
      "aria-label": "Place in the list",
    })) this.element.setAttribute(name, value);
    this.by = null;
    this.listen();
  }

  listen() {
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.element.setPointerCapture(event.pointerId);
      this.isDragged = true;
      this.jumpTo(event.clientY);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.isDragged) this.jumpTo(event.clientY);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(end, () => {
        this.isDragged = false;
        this.bubble.hidden = true;
      });
    }
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.arrange()).observe(this.element.parentElement);
  }

  /** Show marks for the grid's list: by "date", by "match", or none for null. */
  show(by) {
    this.by = by;
    const list = this.grid.list;
    this.found = by && list ? marks(list.columns, by) : [];
    // Photos in no order of this kind would give a mark for nearly every photo.
    if (list && this.found.length > Math.max(40, list.count / 20)) this.found = [];
    this.arrange();
  }

  arrange() {
    const grid = this.grid;
    const isNeeded = Boolean(grid.list) && grid.scale?.end > grid.shown;
    this.element.parentElement.classList.toggle("with-strip", isNeeded);
    this.element.hidden = !isNeeded;
    if (!isNeeded) return;
    this.height = this.element.clientHeight - 2 * MARGIN;
    let free = -APART;
    const labels = [];
    for (const mark of this.found ?? []) {
      const top = this.topOf(grid.topOf(mark.index));
      if (top < free + APART || top > this.height + 1) continue;
      free = top;
      const label = make("span", { text: mark.label });
      label.style.top = `${top + MARGIN}px`;
      labels.push(label);
    }
    this.labels.replaceChildren(...labels);
    this.element.setAttribute("aria-valuemax", grid.list.count);
    this.follow();
  }

  topOf(place) {
    return (this.height * place) / Math.max(1, this.grid.scale.end);
  }

  /** Show where the grid is. */
  follow() {
    if (this.element.hidden || !this.grid.list?.count) return;
    const top = this.topOf(this.grid.place) + MARGIN;
    this.thumb.style.transform = `translateY(${top.toFixed(1)}px)`;
    const first = this.grid.firstShown();
    this.element.setAttribute("aria-valuenow", first + 1);
    this.element.setAttribute("aria-valuetext", this.inWords(first));
  }

  inWords(index) {
    const { columns, count } = this.grid.list;
    const place = `${inFigures(index + 1)} of ${counted(count, "photo")}`;
    if (this.by === "date") {
      const minutes = columns.minutes[index];
      return isDated(minutes) ? `${periodOf(minutes)}, ${place}` : `no date, ${place}`;
    }
    if (this.by === "match") {
      return `${probability(this.grid.list.probability(index))}, ${place}`;
    }
    return place;
  }

  jumpTo(clientY) {
    const box = this.element.getBoundingClientRect();
    const share = (clientY - box.top - MARGIN) / this.height;
    this.grid.scrollTo(Math.min(1, Math.max(0, share)) * this.grid.scale.end);
    this.grid.onRest();
    const words = this.inWords(this.grid.firstShown()).split(", ");
    this.bubble.textContent = words[0];
    this.bubble.hidden = false;
    const top = Math.min(box.height - 40, Math.max(4, clientY - box.top - 16));
    this.bubble.style.transform = `translateY(${top}px)`;
  }

  pressed(event) {
    const { place, shown, scale } = this.grid;
    const goals = {
      ArrowUp: place - shown / 3, ArrowDown: place + shown / 3,
      PageUp: place - shown, PageDown: place + shown, Home: 0, End: scale.end,
    };
    if (!(event.key in goals)) return;
    event.preventDefault();
    event.stopPropagation();
    this.grid.scrollTo(goals[event.key]);
    this.grid.onRest();
  }
}
