// The view of duplicates: groups side by side, what differs in each, and which one to keep. The
// page deletes no file.

import { button, make } from "./elements.js";
import { counted, inFigures, probability, size, takenAt } from "./words.js";

const AT_ONCE = 30;
const KINDS = [
  ["identical,near", "Copies"], ["identical", "Identical files"], ["near", "One shot in several forms"],
  ["alike", "Other shots of one scene"],
];
const TITLES = {
  identical: "Identical files", near: "One shot in several forms",
  alike: "Other shots of one scene, not copies",
};

export function mount(element, app) {
  return new DuplicatesView(element, app);
}

class DuplicatesView {
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.title = make("h1", { tabindex: "-1", text: "Duplicates" });
    this.kind = make("select", { "aria-label": "Kind of duplicates", on: {
      change: () => this.app.go({ kinds: this.kind.value }),
    } }, ...KINDS.map(([value, text]) => make("option", { value, text })));
    this.copyOthers = button("Copy the paths of all but those to keep", () => this.copyPaths());
    this.groups = make("div", { class: "groups" });
    this.more = button("More groups", () => this.loadMore(), { class: "more", hidden: true });
    this.notes = make("div", { class: "notes" });
    element.append(make("div", { class: "page-column wide" },
      make("header", { class: "view-head" }, this.title,
        make("div", { class: "view-tools" }, this.kind, this.copyOthers)),
      this.notes,
      make("p", { class: "legend", text: "The photo to keep is the first of its group. sigseek deletes no file." }),
      this.groups, this.more));
  }

  show(state, before) {
    this.element.hidden = false;
    document.title = "Duplicates · sigseek";
    const isNew = !before || before.view !== "duplicates" || before.q !== state.q
      || before.kinds !== state.kinds;
    this.kind.value = KINDS.some(([kinds]) => kinds === state.kinds) ? state.kinds : KINDS[0][0];
    if (isNew) this.load();
  }

  hide() {
    this.element.hidden = true;
    this.loading?.abort();
  }

  refresh() {
    this.load();
  }

  async load() {
    this.loading?.abort();
    this.loading = new AbortController();
    this.found = [];
    const wait = this.app.later(300, () => this.element.classList.add("waiting"));
    wait.start();
    await this.app.attempt(() => this.fetch(0), (error) => this.failed(error));
    wait.stop();
    this.element.classList.remove("waiting");
  }

  /** Show an error of the query under the field, and return whether it is one. */
  failed(error) {
    if (![400, 404, 422].includes(error.status)) return false;
    this.app.field.showError(error);
    this.title.textContent = "This query cannot be answered";
    this.app.announce(this.title.textContent);
    this.groups.replaceChildren();
    this.notes.replaceChildren();
    this.more.hidden = true;
    this.copyOthers.hidden = true;
    return true;
  }

  async loadMore() {
    const next = this.found.length;
    this.more.disabled = true;
    await this.app.attempt(() => this.fetch(next));
    this.more.disabled = false;
    const shown = [...this.groups.children].filter((section) => !section.hidden);
    shown[next]?.querySelector("a, button")?.focus();
  }

  async fetch(offset) {
    const answer = await this.app.api.ask("duplicates", {
      query: { q: this.app.state.q, kinds: this.kind.value.split(","), limit: AT_ONCE, offset },
      signal: this.loading.signal,
    });
    this.app.field.showError(null);
    this.found.push(...answer.groups);
    this.title.textContent = answer.headline;
    this.app.announce(answer.headline);
    this.notes.replaceChildren(...(answer.notes ?? []).map(
      (note) => make("p", { class: "note", text: this.app.words(note) }),
    ));
    const made = answer.groups.map((group) => this.group(group));
    if (offset) this.groups.append(...made);
    else this.groups.replaceChildren(...made);
    this.more.hidden = answer.next === null;
    this.copyOthers.hidden = !this.found.length;
  }

  group(group) {
    const kept = group.photos[0];
    const separate = button("These are not duplicates", async (event) => {
      await this.app.attempt(async () => {
        const ids = [...new Set(group.photos.map((photo) => photo.id))];
        const section = event.target.closest("section"), place = this.found.indexOf(group);
        await this.app.keepApart(ids, () => {
          section.hidden = false;
          this.found.splice(place, 0, group);
        });
        section.hidden = true;
        this.found = this.found.filter((one) => one !== group);
      });
    });
    const canSeparate = !this.app.readOnly && group.kind !== "identical";
    return make("section", { class: "group" },
      make("header", {},
        make("h2", { text: `${TITLES[group.kind] ?? group.kind}: ${counted(group.photos.length, group.kind === "identical" ? "file" : "photo")}` }),
        make("div", { class: "view-tools" },
          button("Copy paths", () => this.app.copyPaths(group.photos.map((photo) => photo.path))),
          canSeparate ? separate : null)),
      make("div", { class: "group-photos" }, ...group.photos.map((photo) => this.photo(photo, kept))));
  }

  photo(photo, kept) {
    const name = photo.name ?? photo.path;
    const link = make("a", {
      href: this.app.addressOf({ photo: photo.id }), "aria-label": `Open ${name}`,
      on: { click: (event) => {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        this.app.openPhoto(photo.id);
      } },
    }, make("img", { src: photo.thumbnail, alt: "", loading: "lazy",
      width: photo.width, height: photo.height }));
    link.firstChild.style.aspectRatio = `${photo.width} / ${photo.height}`;
    return make("article", { class: photo.keep ? "keep" : "" }, link,
      make("h3", { text: name }),
      photo.keep
        ? make("p", { class: "keep-mark", text: photo.why ? `Keep: ${photo.why}` : "Keep" })
        : make("p", { class: "differs", text: differences(photo, kept) }),
      make("p", { class: "path", text: photo.path }),
      photo.available ? null : make("p", { class: "note", text: "The file is not there now." }));
  }

  async copyPaths() {
    const paths = new Set(this.found.flatMap((group) => (group.kind === "alike" ? [] : group.photos))
      .filter((photo) => !photo.keep && photo.available).map((photo) => photo.path));
    await this.app.copyPaths([...paths]);
  }
}

/** Return the group of copies that a photo is in, or null. */
export async function groupOf(api, id) {
  let offset = 0;
  while (offset !== null) {
    const answer = await api.ask("duplicates", {
      query: { kinds: ["identical", "near"], limit: 1000, offset },
    });
    const found = answer.groups.filter((group) => group.photos.some((photo) => photo.id === id));
    // A photo with identical files may be in a group of near ones, too, which tells more.
    if (found.length) return found.find((group) => group.kind === "near") ?? found[0];
    offset = answer.next;
  }
  return null;
}

/** Say how a photo differs from the one to keep. */
export function differences(photo, kept) {
  const parts = [];
  if (photo.width !== kept.width || photo.height !== kept.height) {
    parts.push(`${inFigures(photo.width)} × ${inFigures(photo.height)}`);
  }
  if (photo.bytes !== kept.bytes) parts.push(size(photo.bytes));
  if (photo.taken_at !== kept.taken_at) {
    parts.push(photo.taken_at ? takenAt(photo.taken_at) : "no date");
  }
  if (photo.distance) parts.push(`${photo.distance} of 256 bits differ`);
  if (photo.cosine !== null && photo.cosine !== undefined && photo.distance !== 0) {
    parts.push(`likeness ${probability(photo.cosine)}`);
  }
  return parts.join(" · ") || "Same picture, same size";
}
