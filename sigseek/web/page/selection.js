// The photos that a person selected, and what can be done with them.

import { button, make } from "./elements.js";
import { counted } from "./words.js";

const AT_ONCE = 200;
/** The most photos that one request may name. */
const MOST_NAMED = 100000;

export class Selection {
  /** `element` is the bar that is shown while photos are selected. */
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.ids = new Set();
    this.last = 0;
    this.onChange = () => {};
    this.count = make("strong", { role: "status" });
    const buttons = [
      button("Select all", () => this.chooseAll(), { "data-does": "all" }),
      button("Copy paths", () => this.copyPaths()),
      button("Download as ZIP", () => this.download()),
    ];
    if (!app.readOnly) {
      buttons.push(
        button("Tag…", () => this.tag(true)),
        button("Untag…", () => this.tag(false)),
        button("Not duplicates", () => this.separate(), { "data-does": "separate" }),
      );
    }
    buttons.push(button("Done", () => this.clear(), { class: "quiet" }));
    element.append(this.count, ...buttons);
  }

  has(id) {
    return this.ids.has(id);
  }

  isActive() {
    return this.ids.size > 0;
  }

  toggle(list, place) {
    const id = list.id(place);
    if (!this.ids.delete(id)) this.ids.add(id);
    this.last = place;
    this.changed();
  }

  /** Select what stands between the last selected photo and this one. */
  chooseTo(list, place) {
    const from = this.isActive() ? Math.min(this.last, list.count - 1) : place;
    for (let at = Math.min(from, place); at <= Math.max(from, place); at += 1) {
      this.ids.add(list.id(at));
    }
    this.last = place;
    this.changed();
  }

  /** Select on the way from one photo to another, as by the keyboard. */
  extend(list, from, to) {
    this.last = this.isActive() ? this.last : from;
    for (let at = Math.min(from, to); at <= Math.max(from, to); at += 1) this.ids.add(list.id(at));
    this.last = to;
    this.changed();
  }

  chooseAll() {
    const list = this.app.list();
    if (!list) return;
    for (let place = 0; place < list.count; place += 1) this.ids.add(list.id(place));
    this.changed();
  }

  clear() {
    if (!this.isActive()) return;
    this.ids.clear();
    this.changed();
  }

  changed() {
    const count = this.ids.size;
    this.element.hidden = count === 0;
    document.body.classList.toggle("selecting", count > 0);
    this.count.textContent = `${counted(count, "photo")} selected`;
    const separate = this.element.querySelector("[data-does=separate]");
    if (separate) separate.hidden = count < 2 || count > 50;
    this.onChange();
  }

  /** Return the selected photos' facts, in the order of selection. */
  async photos() {
    const ids = [...this.ids];
    const found = [];
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      const part = ids.slice(start, start + AT_ONCE).join(",");
      found.push(...(await this.app.api.ask("photos", { query: { ids: part } })).photos);
    }
    return found;
  }

  async copyPaths() {
    await this.app.attempt(async () => {
      const photos = await this.photos();
      await this.app.copyPaths(photos.map((photo) => photo.path));
    });
  }

  async download() {
    await this.app.attempt(async () => {
      if (this.ids.size > MOST_NAMED) {
        this.app.toast(`A ZIP file holds at most ${counted(MOST_NAMED, "photo")}. Select fewer.`);
        return;
      }
      // The browser saves the file while it arrives, so that it never has to be in memory whole.
      const { address } = await this.app.api.ask("zip/links", { json: { ids: [...this.ids] } });
      make("a", { href: address, download: "sigseek.zip" }).click();
      this.app.toast(`Packing ${counted(this.ids.size, "photo")}…`);
    });
  }

  async tag(give) {
    await this.app.attempt(async () => {
      const { tags } = await this.app.tags();
      const ids = [...this.ids];
      const name = await this.app.dialogs.tagName(
        give ? `Tag ${counted(ids.length, "photo")}` : `Untag ${counted(ids.length, "photo")}`,
        tags.map((tag) => tag.label),
      );
      if (!name) return;
      // The photos are named one by one: others may match the query by now, which nobody has seen.
      for (let start = 0; start < ids.length; start += MOST_NAMED) {
        const part = ids.slice(start, start + MOST_NAMED);
        await this.app.api.ask("tags", { json: { name, ids: part, give } });
      }
      this.app.facts.forget(ids);
      this.app.toast(
        give ? `${counted(ids.length, "photo")} tagged “${name}”`
          : `“${name}” taken from ${counted(ids.length, "photo")}`,
      );
      this.app.changed();
    });
  }

  async separate() {
    await this.app.attempt(async () => {
      await this.app.keepApart([...this.ids], () => this.app.changed());
      this.clear();
      this.app.changed();
    });
  }
}
