// One photo over the whole window: its picture, its pixels, all its facts and what to do with it.

import { differences, groupOf } from "./duplicates.js";
import { button, fill, icon, iconButton, make } from "./elements.js";
import { isExcluded, narrowed, without } from "./queries.js";
import { counted, dateSource, inFigures, placeOf, probability, size, takenAt } from "./words.js";

export class Viewer {
  /** `element` is the dialog. */
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.id = null;
    this.showsFacts = localStorage.getItem("facts") !== "hidden" && innerWidth >= 900;
    this.build();
    this.listen();
  }

  build() {
    const app = this.app;
    this.name = make("h2", { class: "viewer-name" });
    this.position = make("span", { class: "viewer-position" });
    this.tools = make("div", { class: "viewer-tools" },
      iconButton("Select", "check", () => this.select(), { "aria-pressed": "false" }),
      iconButton("Pixels", "zoom", () => this.zoom(), { "aria-pressed": "false" }),
      iconButton("Facts", "information", () => this.toggleFacts(), { "aria-pressed": "true" }),
      iconButton("Close", "close", () => this.close()));
    [this.selectTool, this.zoomTool, this.factsTool] = this.tools.children;
    this.picture = make("img", { alt: "", draggable: "false", class: "viewer-picture" });
    this.before = iconButton("Previous photo", "previous", () => this.step(-1), {
      class: "icon-button viewer-step before" });
    this.after = iconButton("Next photo", "next", () => this.step(1), {
      class: "icon-button viewer-step after" });
    this.stage = make("div", { class: "viewer-stage" }, this.picture);
    this.trouble = make("p", { class: "viewer-trouble", hidden: true });
    this.facts = make("aside", { class: "viewer-facts", "aria-label": "Facts" });
    this.element.append(
      make("header", { class: "viewer-head" }, this.name, this.position, this.tools),
      make("div", { class: "viewer-body" },
        make("div", { class: "viewer-middle" },
          this.stage, this.before, this.after, this.trouble),
        this.facts));
    this.live = make("p", { class: "visually-hidden", role: "status" });
    this.element.append(this.live);
    this.wait = app.later(300, () => this.element.classList.add("waiting"));
  }

  listen() {
    this.element.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (this.isZoomed) this.zoom(false);
      else this.close();
    });
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    this.picture.addEventListener("load", () => this.loaded());
    this.picture.addEventListener("error", () => this.failed());
    this.stage.addEventListener("dblclick", (event) => this.zoom(!this.isZoomed, event));
    this.stage.addEventListener("click", (event) => {
      if (event.target === this.stage && !this.isZoomed) this.close();
    });
    this.listenToSwipes();
  }

  listenToSwipes() {
    let start = null;
    this.stage.addEventListener("pointerdown", (event) => {
      start = { x: event.clientX, y: event.clientY, left: this.stage.scrollLeft,
        top: this.stage.scrollTop };
      if (this.isZoomed && event.pointerType === "mouse") {
        this.stage.setPointerCapture(event.pointerId);
      }
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!start || !this.isZoomed || event.pointerType !== "mouse") return;
      this.stage.scrollTo(start.left + start.x - event.clientX, start.top + start.y - event.clientY);
    });
    this.stage.addEventListener("pointerup", (event) => {
      const across = start ? event.clientX - start.x : 0;
      const along = start ? Math.abs(event.clientY - start.y) : 0;
      start = null;
      if (this.isZoomed || event.pointerType === "mouse") return;
      if (Math.abs(across) > 60 && along < 60) this.step(across > 0 ? -1 : 1);
    });
  }

  /** Show a photo by its number; null closes the viewer. */
  async show(id) {
    if (id === null) {
      this.id = null;
      if (this.element.open) this.element.close();
      this.picture.removeAttribute("src");
      return;
    }
    if (id === this.id) return;
    this.id = id;
    this.explained = null;
    this.isZoomed = false;
    this.element.classList.remove("zoomed");
    this.stage.removeAttribute("tabindex");
    this.picture.style.width = "";
    this.zoomTool.setAttribute("aria-pressed", "false");
    if (!this.element.open) {
      this.element.showModal();
      this.element.focus({ preventScroll: true });
    }
    this.showPlace();
    const known = this.app.facts.get(id);
    if (known) this.fill(known);
    else this.empty();
    await this.app.attempt(async () => {
      const photo = await this.app.api.ask(`photos/${id}`);
      if (this.id !== id) return;
      this.app.facts.keep([{ ...known, ...photo }]);
      this.fill({ ...known, ...photo });
      this.preload();
      await this.explain(photo);
    }, (error) => {
      if (![404, 422].includes(error.status)) return false;
      this.name.textContent = "This photo is no longer in the library";
      return true;
    });
  }

  showPlace() {
    const list = this.app.list();
    const place = list ? list.placeOf(this.id) : -1;
    this.place = place;
    this.position.textContent = place >= 0
      ? `${inFigures(place + 1)} of ${inFigures(list.count)}` : "";
    this.before.hidden = place <= 0;
    this.after.hidden = place < 0 || place >= list.count - 1;
    this.showSelected();
    this.factsTool.setAttribute("aria-pressed", String(this.showsFacts));
    this.element.classList.toggle("with-facts", this.showsFacts);
  }

  /** The photos that this one stands among have become others or more. */
  listChanged() {
    this.showPlace();
    if (this.photo?.id === this.id) this.app.attempt(() => this.explain(this.photo));
  }

  /** Show the photo again, as after the server was away. */
  again() {
    const { id } = this;
    this.id = null;
    this.show(id);
  }

  showSelected() {
    const isSelected = this.app.selection.has(this.id);
    this.selectTool.setAttribute("aria-pressed", String(isSelected));
  }

  empty() {
    this.photo = null;
    this.trouble.hidden = true;
    this.picture.style.backgroundImage = "none";
    this.name.textContent = "";
    fill(this.facts);
    this.picture.removeAttribute("src");
  }

  fill(photo) {
    const isNew = this.photo?.id !== photo.id;
    this.photo = photo;
    this.name.textContent = photo.name;
    this.fillFacts(photo);
    if (!isNew && this.picture.getAttribute("src")) return;
    this.trouble.hidden = true;
    this.live.textContent = [photo.name, takenAt(photo.taken_at)].filter(Boolean).join(", ");
    this.fit(photo);
    this.picture.alt = photo.title || photo.description || photo.name;
    // The small picture is there at once and stands in until the large one is.
    this.picture.style.backgroundImage = `url("${photo.thumbnail}")`;
    this.picture.style.backgroundColor = photo.color ?? "";
    this.picture.src = withSize(photo.thumbnail, 1280);
    this.wait.start();
  }

  /** Give the picture its size before it is there, so that nothing jumps. */
  fit(photo) {
    this.picture.width = photo.width;
    this.picture.height = photo.height;
    this.picture.style.aspectRatio = `${photo.width} / ${photo.height}`;
  }

  loaded() {
    this.wait.stop();
    this.element.classList.remove("waiting");
    this.picture.style.backgroundImage = "none";
  }

  failed() {
    this.wait.stop();
    this.element.classList.remove("waiting");
    if (!this.picture.getAttribute("src") || !this.photo) return;
    this.trouble.hidden = false;
    this.trouble.textContent = this.photo.available
      ? "This picture cannot be shown." : "The file is not there now, and no picture of it is kept.";
  }

  preload() {
    const list = this.app.list();
    for (const place of [this.place + 1, this.place - 1]) {
      if (!list || this.place < 0 || place < 0 || place >= list.count) continue;
      const id = list.id(place);
      this.app.facts.fetch([id]).then(() => {
        const photo = this.app.facts.get(id);
        if (photo) new Image().src = withSize(photo.thumbnail, 1280);
      }).catch(() => {});
    }
  }

  fillFacts(photo) {
    const app = this.app;
    fill(
      this.facts,
      make("div", { class: "explain", hidden: true }),
      make("div", { class: "buttons" },
        button("More like this", () => this.ask(narrowed)),
        button("Not like this", () => this.ask(without))),
      list(rows(photo)),
      make("h3", { text: files(photo).length > 1 ? "Files" : "File" }),
      make("ul", { class: "paths" }, ...files(photo).map((path) => make("li", {},
        make("span", { text: path }),
        iconButton(`Copy the path ${path}`, "copy", () => app.copy(path, "Path"))))),
      photo.available ? null
        : make("p", { class: "note", text: "The file is not there now. It may be on a drive that is away." }),
      photo.damaged ? make("p", { class: "note", text: "Part of this picture cannot be read." }) : null,
      tagsOf(photo, app),
      make("div", { class: "its-duplicates" },
        button("Look for its duplicates", () => this.showDuplicates(photo.id))),
      photo.available ? make("div", { class: "buttons" },
        make("a", { class: "button", href: `${photo.original}?download=1`, download: photo.name },
          icon("download"), "Download the file"),
        photo.shown_as === "derived"
          ? make("a", { class: "button", href: derived(photo), target: "_blank", rel: "noopener",
            text: "Open as JPEG" })
          : make("a", { class: "button", href: photo.original, target: "_blank", rel: "noopener",
            text: "Open the original" })) : null,
    );
  }

  /** Show the copies of the photo, which the server has to look for among all photos. */
  async showDuplicates(id) {
    const place = this.facts.querySelector(".its-duplicates");
    place.replaceChildren(make("p", { class: "legend", role: "status", text: "Comparing photos…" }));
    await this.app.attempt(async () => {
      const group = await groupOf(this.app.api, id);
      if (this.id !== id) return;
      if (!group) {
        place.firstChild.textContent = "It has no duplicates.";
        return;
      }
      const [kept] = group.photos;
      fill(place, make("h3", { text: "Duplicates" }), make("ul", { class: "copies" },
        ...group.photos.map((photo) => make("li", {},
          button("", () => this.app.openPhoto(photo.id), { "aria-label": `Open ${photo.name}` }),
          make("span", { text: `${photo.name}: ${
            photo.keep ? `the one to keep${photo.why ? `, ${photo.why}` : ""}` : differences(photo, kept)}` })))));
      group.photos.forEach((photo, at) => place.querySelectorAll("button")[at].append(
        make("img", { src: photo.thumbnail, alt: "" }),
      ));
    }, () => {
      place.replaceChildren();
      return false;
    });
  }

  /** Show why the photo is a hit: a bar for each term of the query. */
  async explain(photo) {
    const { q, sort, all } = this.app.state;
    const list = this.app.list();
    if (!q || !list?.isJudged || this.place < 0 || this.explained === photo.id) return;
    this.explained = photo.id;
    const { hits, terms, query } = await this.app.api.ask("search", { query: {
      q, sort: list.isNearest ? null : sort, all: all || list.isNearest, explain: true, offset: this.place, limit: 1,
    } });
    const hit = hits[0];
    if (this.id !== photo.id || hit?.id !== photo.id) return;
    const place = this.facts.querySelector(".explain");
    const values = Object.entries(hit.terms ?? {});
    const verdict = hit.verdict ? `${capital(hit.verdict)}, ${probability(hit.probability)}` : "";
    fill(
      place,
      make("h3", { text: `Why it is here${verdict ? `: ${verdict}` : ""}` }),
      ...values.map(([term, value]) => bar(
        isExcluded(query, term) ? `NOT ${term}` : term, value, terms.find((one) => one.term === term),
      )),
      hit.closer === undefined || hit.closer === null ? null
        : make("p", { class: "legend", text: "Looked at closer." }),
    );
    place.hidden = false;
  }

  ask(join) {
    if (!this.photo) return;
    const query = join(this.app.state.q, `photo:${this.id}`);
    this.app.search(query);
  }

  select() {
    const list = this.app.list();
    if (list && this.place >= 0) this.app.selection.toggle(list, this.place);
    this.showSelected();
  }

  step(by) {
    const list = this.app.list();
    if (!list || this.place < 0) return;
    const place = this.place + by;
    if (place < 0 || place >= list.count) return;
    this.app.go({ photo: list.id(place) }, { replace: true });
  }

  close() {
    this.app.closePhoto();
  }

  /** Show the picture's own pixels, or the whole picture again. */
  zoom(on = !this.isZoomed, event = null) {
    if (!this.photo) return;
    if (on && !this.photo.available) {
      this.app.toast("The file is not there now, so only this smaller picture of it can be shown.");
      return;
    }
    this.isZoomed = on;
    this.zoomTool.setAttribute("aria-pressed", String(on));
    const box = this.picture.getBoundingClientRect();
    const x = event ? (event.clientX - box.left) / box.width : 0.5;
    const y = event ? (event.clientY - box.top) / box.height : 0.5;
    this.element.classList.toggle("zoomed", on);
    // What scrolls can be reached by keyboard.
    if (on) this.stage.setAttribute("tabindex", "0");
    else this.stage.removeAttribute("tabindex");
    this.picture.style.width = on ? `${this.photo.width / devicePixelRatio}px` : "";
    if (!on) return;
    const full = this.photo.shown_as === "derived" ? derived(this.photo) : this.photo.original;
    if (this.picture.getAttribute("src") !== full) {
      this.picture.style.backgroundImage = `url("${withSize(this.photo.thumbnail, 1280)}")`;
      this.picture.src = full;
      this.wait.start();
    }
    const stage = this.stage;
    stage.scrollTo(
      x * this.picture.offsetWidth - stage.clientWidth / 2,
      y * this.picture.offsetHeight - stage.clientHeight / 2,
    );
  }

  toggleFacts() {
    this.showsFacts = !this.showsFacts;
    localStorage.setItem("facts", this.showsFacts ? "shown" : "hidden");
    this.showPlace();
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const scrolls = this.isZoomed && event.target === this.stage;
    const actions = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      z: () => this.zoom(),
      i: () => this.toggleFacts(),
      x: () => this.select(),
      m: () => this.ask(narrowed),
      n: () => this.ask(without),
      d: () => this.facts.querySelector("a[download]")?.click(),
      "?": () => this.app.showKeys(),
    };
    const action = actions[event.key];
    if (!action || (scrolls && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}

/** Return the paths of all of a photo's files, the one that is shown first. */
function files(photo) {
  return [photo.path, ...(photo.copies ?? [])];
}

function derived(photo) {
  return photo.original.replace(/original$/, "derived");
}

function withSize(address, pixels) {
  return `${address}${address.includes("?") ? "&" : "?"}size=${pixels}`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** Return what is known of a photo as pairs of name and text, without what is not known. */
function rows(photo) {
  const file = photo.files?.[0];
  const sizes = `${inFigures(photo.width)} × ${inFigures(photo.height)}`;
  const bytes = file?.size ?? photo.bytes;
  return [
    ["Title", photo.title],
    ["Description", photo.description],
    ["Taken", photo.taken_at && takenAt(photo.taken_at)],
    ["Date from", dateSource(photo.date_source)],
    ["Place", placeOf(photo)],
    ["Coordinates", photo.latitude !== null && photo.latitude !== undefined
      ? `${photo.latitude.toFixed(5)}, ${photo.longitude.toFixed(5)}` : null],
    ["Camera", photo.camera],
    ["Lens", photo.lens],
    ["Exposure", exposure(photo.exposure)],
    ["Rating", photo.rating === -1 ? "rejected" : photo.rating && counted(photo.rating, "star")],
    ["People", photo.people?.join(", ")],
    ["Keywords", photo.keywords?.join(", ")],
    ["Size", bytes ? `${sizes}, ${size(bytes)}` : sizes],
    ["Format", photo.format?.toUpperCase()],
  ].filter(([, value]) => value);
}

function exposure(value) {
  if (!value || typeof value === "string") return value;
  return Object.values(value).filter((part) => part !== null).join(", ");
}

function list(pairs) {
  return make("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [
    make("dt", { text: name }), make("dd", { text: value }),
  ]));
}

function tagsOf(photo, app) {
  if (!photo.tags?.length) return null;
  return make("div", { class: "chips" }, ...photo.tags.map((tag) => {
    const label = tag.label ?? tag.name ?? tag;
    return button(label, () => app.search(`tag:"${label.replace(/["\\]/g, "\\$&")}"`), {
      class: "chip", title: tag.by_hand ? "Given by hand" : "Given by sigseek",
    });
  }));
}

/** Return a bar that shows the probability of a term. */
function bar(term, value, judged) {
  const meter = make("div", { class: "bar" });
  meter.append(make("div", { class: "bar-fill" }));
  meter.firstChild.style.width = `${100 * value}%`;
  return make("div", { class: "explain-term", title: judged?.decided_by ?? "" },
    make("span", { text: term }), make("span", { class: "explain-value", text: probability(value) }),
    meter);
}
