// The photos of an answer in rows that fill the width. Only the rows near the window exist.

import { make, whenQuiet } from "./elements.js";
import { ScrollScale, justify, rowAt } from "./layout.js";
import { roughly, takenAt } from "./words.js";

const GAP = 6;
/** Rows that are made beyond the window, as a part of the window's height. */
const BEYOND = 0.35;
/** Scrolling by more windows than this at a time is a jump of the scrollbar. */
const JUMP = 3;
/** Milliseconds that a finger rests on a photo to select it. */
const LONG_PRESS = 450;
const MOST_UNUSED = 120;
const NO_PHOTOS = { count: 0, ids: new Float64Array(0), ratios: new Uint16Array(0) };

export class Grid {
  /** `element` is what scrolls. `app` is described in app.js. `onScroll()` is called while it
   * scrolls, and `onPlace(index)` with the first photo shown once scrolling rests.
   */
  constructor(element, app, { onOpen, onPlace, onScroll }) {
    this.element = element;
    this.onScroll = onScroll;
    this.app = app;
    this.onOpen = onOpen;
    this.list = null;
    this.space = make("div", { class: "grid-space", role: "list", "aria-label": "Photos" });
    this.element.append(this.space);
    this.tiles = new Map();
    // Tiles of the list before, by the numbers of their photos, while a list is replaced.
    this.spare = new Map();
    // Tiles that were dropped, to be used again: making new ones is what scrolling spends most on.
    this.unused = [];
    this.focused = 0;
    this.place = 0;
    this.offset = 0;
    this.physical = 0;
    this.isPlanned = false;
    this.onRest = whenQuiet(150, () => {
      this.settle();
      onPlace(this.firstShown());
    });
    this.askForFacts = whenQuiet(50, () => this.fetchFacts());
    this.listen();
  }

  listen() {
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(this.element);
    this.space.addEventListener("click", (event) => this.clicked(event));
    this.space.addEventListener("load", (event) => {
      event.target.closest(".tile").classList.add("loaded");
    }, true);
    this.listenToLongPress();
    this.space.addEventListener("keydown", (event) => this.pressed(event));
    this.space.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.setFocused(Number(tile.dataset.place));
    });
  }

  /** A finger that rests on a photo selects it. */
  listenToLongPress() {
    let timer = 0;
    const end = () => clearTimeout(timer);
    this.space.addEventListener("pointerdown", (event) => {
      const tile = event.target.closest(".tile");
      if (event.pointerType !== "touch" || !tile) return;
      timer = setTimeout(() => {
        this.wasPressedLong = true;
        this.app.selection.toggle(this.list, Number(tile.dataset.place));
      }, LONG_PRESS);
    });
    for (const event of ["pointerup", "pointercancel", "pointermove"]) {
      this.space.addEventListener(event, end);
    }
    this.space.addEventListener("contextmenu", (event) => {
      if (this.wasPressedLong) event.preventDefault();
    });
  }

  /** Show the photos of a list, from the photo at `place` on. */
  show(list, place = 0) {
    const isSame = this.list === list;
    this.list = list;
    if (!isSame) this.dropTiles();
    this.focused = Math.min(place, Math.max(0, list.count - 1));
    this.arrange();
    this.scrollTo(place > 0 ? this.topOf(place) : 0);
  }

  /** Replace the list by one with mostly the same photos, such as a longer one, without a jump: what
   * is seen stays where it is, as far as it is still in the list.
   */
  replace(list) {
    const first = this.firstShown();
    const within = this.place - this.topOf(first);
    const id = this.list.count ? this.list.id(first) : null;
    for (const [place, tile] of this.tiles) this.spare.set(this.list.id(place), tile);
    this.tiles.clear();
    this.list = list;
    this.arrange();
    // At the beginning one stays at the beginning, so that new photos are seen.
    const place = first > 0 ? list.placeOf(id) : 0;
    this.focused = Math.min(this.focused, Math.max(0, list.count - 1));
    this.scrollTo(place >= 0 ? this.topOf(place) + within : this.place);
    for (const tile of this.spare.values()) this.drop(null, tile);
    this.spare.clear();
  }

  arrange() {
    const columns = this.list?.columns ?? NO_PHOTOS;
    this.width = this.space.clientWidth;
    this.shown = this.element.clientHeight;
    this.rows = justify(columns.ratios, columns.count, this.width, this.rowHeight(), GAP);
    this.scale = new ScrollScale(this.rows.height + this.margins(), this.shown);
    this.space.style.height = `${Math.max(0, this.scale.physicalHeight - this.margins())}px`;
  }

  /** The pixels above the first row: whatever stands in the scrolled element before the photos. */
  lead() {
    return this.space.offsetTop;
  }

  margins() {
    return this.lead() + GAP;
  }

  rowHeight() {
    return Math.round(Math.min(330, Math.max(116, 110 + this.width / 16)));
  }

  resized() {
    if (!this.list || !this.element.clientHeight) return;
    if (this.space.clientWidth === this.width && this.element.clientHeight === this.shown) return;
    const first = this.firstShown();
    const within = this.place - this.topOf(first);
    const widthChanged = this.space.clientWidth !== this.width;
    this.dropTiles();
    this.arrange();
    this.scrollTo(widthChanged && first > 0 ? this.topOf(first) : this.topOf(first) + within);
  }

  /** The place in the list at which a photo's row begins, so that it stands at the window's top. */
  topOf(index) {
    if (!this.rows.rows) return 0;
    const row = rowAt(this.rows.starts, this.rows.rows, index);
    return row === 0 ? 0 : this.rows.tops[row] + this.lead() - GAP;
  }

  firstShown() {
    if (!this.list?.count || this.place < 1) return 0;
    const top = this.place - this.lead() + GAP + 1;
    return this.rows.starts[rowAt(this.rows.tops, this.rows.rows, top)];
  }

  /** Scroll to a place in the list, in pixels. */
  scrollTo(place) {
    this.place = Math.min(this.scale.end, Math.max(0, place));
    this.physical = Math.round(this.scale.toPhysical(this.place));
    if (!this.scale.isScaled) this.place = this.physical;
    this.offset = this.place - this.physical;
    this.element.scrollTop = this.physical;
    this.draw(true);
    this.onScroll();
  }

  /** Scroll so that a photo is seen, and mark it as the one that keys move from. */
  reveal(index, { focus = false } = {}) {
    const row = rowAt(this.rows.starts, this.rows.rows, index);
    const top = this.rows.tops[row] + this.lead();
    const bottom = top + this.rows.heights[row];
    const covered = this.covered();
    if (top < this.place + covered) this.scrollTo(row === 0 ? 0 : top - GAP - covered);
    else if (bottom > this.place + this.shown) this.scrollTo(bottom + GAP - this.shown);
    this.setFocused(index);
    if (focus) this.tiles.get(index)?.querySelector("a").focus({ preventScroll: true });
  }

  /** The height of what covers the top of the window. */
  covered() {
    return 0;
  }

  scrolled() {
    if (!this.scale) return;
    const physical = this.element.scrollTop;
    if (physical === this.physical) return;
    const moved = physical - this.physical;
    this.physical = physical;
    if (this.scale.isScaled && Math.abs(moved) > JUMP * this.shown) {
      this.place = this.scale.toPlace(physical);
    } else {
      this.place = Math.min(this.scale.end, Math.max(0, this.place + moved));
    }
    const offset = this.place - physical;
    const hasMoved = Math.abs(offset - this.offset) >= 1;
    this.offset = offset;
    this.plan(hasMoved);
    this.onScroll();
    this.onRest();
  }

  /** Bring the scrollbar to where it belongs, which nobody sees: the photos move along. Scrolling
   * by small steps lets it drift in a list that is scaled.
   */
  settle() {
    if (!this.scale?.isScaled) return;
    if (Math.abs(this.scale.toPhysical(this.place) - this.physical) >= 1) this.scrollTo(this.place);
  }

  plan(hasMoved) {
    this.mustMove ||= hasMoved;
    if (this.isPlanned) return;
    this.isPlanned = true;
    requestAnimationFrame(() => {
      this.isPlanned = false;
      this.draw(this.mustMove);
      this.mustMove = false;
    });
  }

  /** Make the tiles near the window and drop the others. With `hasMoved`, place all again. */
  draw(hasMoved) {
    if (!this.list) return;
    const { rows, starts, tops } = this.rows;
    const top = this.place - this.lead();
    const beyond = this.shown * BEYOND;
    const first = rowAt(tops, rows, top - beyond);
    const last = rowAt(tops, rows, top + this.shown + beyond);
    const begin = rows ? starts[first] : 0;
    const end = rows ? starts[last + 1] : 0;
    for (const [place, tile] of this.tiles) {
      if (place < begin || place >= end) this.drop(place, tile);
    }
    const made = document.createDocumentFragment();
    for (let row = first; row <= last && row < rows; row += 1) this.drawRow(row, made, hasMoved);
    this.space.append(made);
    this.askForFacts();
  }

  drawRow(row, made, hasMoved) {
    const { starts, tops, heights } = this.rows;
    let left = 0;
    for (let place = starts[row]; place < starts[row + 1]; place += 1) {
      const width = this.list.ratio(place) * heights[row];
      let tile = this.tiles.get(place);
      if (!tile) {
        tile = this.spareTile(place) ?? this.makeTile(place);
        this.tiles.set(place, tile);
        if (!tile.isConnected) made.append(tile);
        this.stand(tile, left, tops[row] - this.offset, width, heights[row]);
      } else if (hasMoved) {
        this.stand(tile, left, tops[row] - this.offset, width, heights[row]);
      }
      left += width + GAP;
    }
  }

  /** Return the tile that showed this photo in the list before, if there is one. */
  spareTile(place) {
    const id = this.list.id(place);
    const tile = this.spare.get(id);
    if (!tile) return null;
    this.spare.delete(id);
    this.number(tile, place);
    this.describe(tile, place, null);
    delete tile.dataset.known;
    return tile;
  }

  stand(tile, left, top, width, height) {
    tile.style.transform = `translate(${left.toFixed(2)}px, ${top.toFixed(2)}px)`;
    tile.style.width = `${width.toFixed(2)}px`;
    tile.style.height = `${height.toFixed(2)}px`;
  }

  makeTile(place) {
    const id = this.list.id(place);
    const tile = this.unused.pop() ?? this.newTile();
    tile.firstChild.setAttribute("href", this.app.addressOf({ photo: id }));
    this.number(tile, place);
    tile.style.backgroundColor = this.list.color(place);
    this.describe(tile, place, this.app.facts.get(id));
    this.markChosen(tile, id);
    return tile;
  }

  newTile() {
    const link = make("a");
    const picture = make("img", { alt: "", draggable: "false" });
    const choose = make(
      "button",
      { type: "button", class: "choose", role: "checkbox", tabindex: -1, "aria-checked": "false" },
    );
    link.append(picture);
    return make("div", { class: "tile", role: "listitem" }, link, choose);
  }

  number(tile, place) {
    tile.dataset.place = place;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", this.list.count);
    tile.firstChild.setAttribute("tabindex", place === this.focused ? "0" : "-1");
  }

  /** Write what is known of a photo into its tile; `photo` is null while nothing is. */
  describe(tile, place, photo) {
    const link = tile.firstChild;
    const choose = tile.children[1];
    const name = photo?.name ?? `Photo ${this.list.id(place)}`;
    const verdict = this.list.verdict(place);
    const parts = [name, takenAt(photo?.taken_at)];
    if (verdict) parts.push(`${verdict}, ${roughly(this.list.probability(place))}`);
    link.setAttribute("aria-label", parts.filter(Boolean).join(", "));
    choose.setAttribute("aria-label", `Select ${name}`);
    if (verdict) this.judge(tile, place, verdict);
    if (!photo) return;
    if (photo.color) tile.style.backgroundColor = photo.color;
    this.load(link.firstChild, photo, tile);
    tile.dataset.known = "";
  }

  judge(tile, place, verdict) {
    const share = roughly(this.list.probability(place));
    const link = tile.firstChild;
    const badge = link.children[1] ?? link.appendChild(make("span", { class: "verdict" }));
    badge.textContent = verdict === "match" ? share : `${verdict} · ${share}`;
    tile.dataset.verdict = verdict;
  }

  load(picture, photo, tile) {
    if (picture.getAttribute("src") === photo.thumbnail) return;
    picture.src = photo.thumbnail;
    if (picture.complete && picture.naturalWidth) tile.classList.add("loaded", "at-once");
  }

  drop(place, tile) {
    // Without its address, a picture that is still on its way is no longer loaded.
    tile.firstChild.firstChild.removeAttribute("src");
    tile.remove();
    if (place !== null) this.tiles.delete(place);
    if (this.unused.length >= MOST_UNUSED) return;
    tile.className = "tile";
    tile.style.backgroundColor = "";
    tile.firstChild.children[1]?.remove();
    delete tile.dataset.known;
    delete tile.dataset.verdict;
    this.unused.push(tile);
  }

  dropTiles() {
    for (const [place, tile] of this.tiles) this.drop(place, tile);
  }

  async fetchFacts() {
    const ids = [...this.tiles.keys()].map((place) => this.list.id(place));
    try {
      await this.app.facts.fetch(ids);
    } catch (error) {
      this.app.fail(error);
      return;
    }
    // Another list may be shown by now, whose request left out what this one had asked for.
    for (const [place, tile] of this.tiles) {
      const photo = this.app.facts.get(this.list.id(place));
      if (photo && tile.dataset.known === undefined) this.describe(tile, place, photo);
    }
  }

  setFocused(place) {
    this.tiles.get(this.focused)?.firstChild.setAttribute("tabindex", "-1");
    this.focused = place;
    this.tiles.get(place)?.firstChild.setAttribute("tabindex", "0");
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey) return;
    const place = Number(tile.dataset.place);
    event.preventDefault();
    if (this.wasPressedLong) {
      this.wasPressedLong = false;
      return;
    }
    const isChoosing = event.target.closest(".choose") || this.app.selection.isActive();
    if (event.shiftKey) this.app.selection.chooseTo(this.list, place);
    else if (isChoosing) this.app.selection.toggle(this.list, place);
    else this.onOpen(place);
    this.setFocused(place);
  }

  pressed(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(tile.dataset.place);
    const next = this.neighbour(place, event.key);
    if (next !== null) {
      event.preventDefault();
      if (event.shiftKey) this.app.selection.extend(this.list, place, next);
      this.reveal(next, { focus: true });
    } else if (event.key === " " || event.key === "x") {
      event.preventDefault();
      this.app.selection.toggle(this.list, place);
    }
  }

  /** Return the photo that a key leads to from another, or null. */
  neighbour(place, key) {
    const last = this.list.count - 1;
    if (key === "ArrowLeft") return Math.max(0, place - 1);
    if (key === "ArrowRight") return Math.min(last, place + 1);
    if (key === "Home") return 0;
    if (key === "End") return last;
    if (key === "ArrowUp") return this.inRow(place, -1);
    if (key === "ArrowDown") return this.inRow(place, 1);
    if (key === "PageUp") return this.inRow(place, -this.rowsShown());
    if (key === "PageDown") return this.inRow(place, this.rowsShown());
    return null;
  }

  rowsShown() {
    return Math.max(1, Math.floor(this.shown / this.rowHeight()) - 1);
  }

  /** Return the photo that stands under or over another, some rows away. */
  inRow(place, distance) {
    const { rows, starts } = this.rows;
    const row = rowAt(starts, rows, place);
    const other = Math.min(rows - 1, Math.max(0, row + distance));
    if (other === row) return place;
    const middle = this.leftOf(row, place) + (this.list.ratio(place) * this.rows.heights[row]) / 2;
    let found = starts[other];
    while (found + 1 < starts[other + 1] && this.leftOf(other, found + 1) <= middle) found += 1;
    return found;
  }

  leftOf(row, place) {
    let left = 0;
    for (let before = this.rows.starts[row]; before < place; before += 1) {
      left += this.list.ratio(before) * this.rows.heights[row] + GAP;
    }
    return left;
  }

  /** Show again which photos are selected. */
  showChosen() {
    for (const [place, tile] of this.tiles) this.markChosen(tile, this.list.id(place));
  }

  markChosen(tile, id) {
    const isChosen = this.app.selection.has(id);
    tile.classList.toggle("chosen", isChosen);
    tile.children[1].setAttribute("aria-checked", String(isChosen));
  }
}
