// The page: it joins the views, the query field, the viewer and the address.
//
// A view is a module with `mount(element, app)`, which returns an object with
//   show(state, before)  show the view; called after every change of the state while it is shown.
//                        `before` is the state before, or null at the beginning
//   hide()               hide it
//   refresh()            show what has changed in the library meanwhile
// `element` is the view's container in index.html. What views and parts use of `app`:
//   api                  asks the server (api.js)
//   state                what the address tells (router.js): view, q, sort, all, photo, at
//   go(changes, {replace})   change the state
//   search(query)        answer a query in the view of photos
//   openPhoto(id), closePhoto()   show a photo over the page, or no longer
//   addressOf(changes)   the address that a link to a changed state has
//   facts                what is known of photos (photos.js)
//   selection            the selected photos (selection.js)
//   list()               the photos that are shown, in their order, or null
//   readOnly             whether the server changes nothing
//   canAdd               whether folders can be added from the page
//   attempt(work, handle)    run `work`; problems are shown, unless `handle(problem)` returns true
//   fail(error), toast(text, undo), announce(text)   tell what happened, also to screen readers
//   keepApart(ids, undone)   note that photos are not duplicates of each other
//   copy(text, what)     put a text on the clipboard
//   copyPaths(paths)     put paths on the clipboard, one per line
//   later(wait, call)    a timer with start() and stop()
//   changed()            the library was changed from here: all views show it
//   onEvent(name, listener)  events of the server, see docs/http.md
//   words(remedy)        a note of the server as a text

import { Api, LostServer } from "./api.js";
import * as dialogs from "./dialogs.js";
import * as duplicates from "./duplicates.js";
import { button, fill, icon } from "./elements.js";
import { listenToKeys, showKeys } from "./keys.js";
import * as library from "./library.js";
import { PhotoFacts } from "./photos.js";
import { QueryField } from "./query_field.js";
import { Router, write } from "./router.js";
import * as search from "./search.js";
import { Selection } from "./selection.js";
import { Viewer } from "./viewer.js";
import { counted, sentence } from "./words.js";

const VIEWS = { search, duplicates, library };
const LOST = "sigseek's server does not answer. This page goes on when it is back.";
const RETRY = 2000;
const REFRESH = 3000;

class App {
  constructor() {
    this.api = new Api(() => this.lostServer());
    this.facts = new PhotoFacts(this.api);
    this.dialogs = dialogs;
    this.showKeys = showKeys;
    this.listeners = {};
    this.views = {};
    this.toastElement = document.querySelector(".toast");
    this.readOnly = false;
  }

  /** Show what the address tells. Whoever types before the server has answered loses nothing. */
  begin() {
    for (const [name, pictogram] of [[".query-clear", "close"], [".query-choose", "picture"],
      [".query-submit", "search"], [".keys-button", "help"]]) {
      document.querySelector(name).append(icon(pictogram));
    }
    this.router = new Router((state, before) => this.show(state, before));
    this.field = new QueryField(document.querySelector("form.query"), this, {
      onSearch: (query) => this.ready.then(() => this.search(query)),
    });
    if (this.state.q) this.field.show(this.state.q);
    this.ready = this.attempt(() => this.refreshStatus()).then(() => this.beginViews());
  }

  beginViews() {
    this.selection = new Selection(document.querySelector(".selection"), this);
    this.selection.onChange = () => {
      this.views.search?.grid.showChosen();
      if (this.state.photo !== null) this.viewer.showSelected();
    };
    this.viewer = new Viewer(document.querySelector("dialog.viewer"), this);
    document.querySelector(".keys-button").addEventListener("click", showKeys);
    this.listenToLinks();
    listenToKeys(this);
    document.addEventListener("visibilitychange", () => {
      const wasAway = !this.source;
      this.listenToEvents();
      // What happened while nobody looked was not heard.
      if (wasAway && this.source) this.changedElsewhere();
    });
    this.onEvent("changed", () => this.changedElsewhere());
    this.show(this.router.state, null);
    const isSearch = this.state.view === "search" && this.state.photo === null;
    if (isSearch && matchMedia("(hover: hover)").matches) this.field.input.focus();
  }

  get state() {
    return this.router.state;
  }

  /** Whether folders can be added here. */
  get canAdd() {
    return !this.readOnly && Boolean(this.status?.browse?.length);
  }

  listenToLinks() {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-view]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const isBrand = link.classList.contains("brand");
      this.go({
        view: link.dataset.view, photo: null, at: 0,
        ...(isBrand ? { q: "", sort: "match", all: false } : {}),
      });
    });
  }

  show(state, before) {
    this.isClosing = false;
    if (!before || before.view !== state.view) {
      if (before) this.views[before.view]?.hide();
      for (const link of document.querySelectorAll("nav a")) {
        if (link.dataset.view === state.view) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    }
    if (before && before.q !== state.q) this.field.show(state.q);
    this.view(state.view).show(state, before);
    this.listenToEvents();
    this.viewer.show(state.photo);
    if (before && before.photo !== null && state.photo === null) this.returnFrom(before.photo);
  }

  view(name) {
    this.views[name] ??= VIEWS[name].mount(document.querySelector(`.view.${name}`), this);
    return this.views[name];
  }

  /** Back from the viewer: the photo that was seen last is in the window and has the focus. */
  returnFrom(id) {
    const grid = this.views.search?.grid;
    if (this.state.view !== "search" || !grid?.list) return;
    const place = grid.list.placeOf(id);
    if (place >= 0) grid.reveal(place, { focus: true });
  }

  go(changes, options) {
    this.router.go(changes, options);
  }

  search(query) {
    const same = this.state.view === "search" && this.state.q === query;
    if (same && this.state.photo === null) this.views.search.load({ ...this.state, at: 0 });
    else this.go({ view: "search", q: query, photo: null, at: 0 });
  }

  openPhoto(id) {
    this.openedAt = this.router.depth + 1;
    this.go({ photo: id });
  }

  closePhoto() {
    // A photo that was opened from here is closed by Back, so that no entry of it stays behind. Back
    // takes a moment, in which a second press of Escape must not go back once more.
    if (this.isClosing) return;
    this.isClosing = this.openedAt === this.router.depth && this.router.depth > 0;
    if (this.isClosing) history.back();
    else this.go({ photo: null }, { replace: true });
  }

  addressOf(changes) {
    return write({ ...this.state, ...changes });
  }

  list() {
    return this.state.view === "search" ? this.views.search?.list ?? null : null;
  }

  /** The photos shown have become others or more. */
  listChanged() {
    if (this.state.photo !== null) this.viewer.listChanged();
  }

  async refreshStatus() {
    this.status = await this.api.ask("status");
    this.readOnly = Boolean(this.status.read_only);
    return this.status;
  }

  tags() {
    return this.api.ask("tags");
  }

  async attempt(work, handle = () => false) {
    try {
      await work();
    } catch (error) {
      if (!handle(error)) this.fail(error);
    }
  }

  fail(error) {
    if (error.name === "AbortError" || error instanceof LostServer) return;
    if (!error.inWords) throw error;
    this.toast(sentence(error.inWords()));
  }

  /** Tell what happened for a few seconds; with a button if it can be undone. */
  toast(text, undo) {
    const toast = this.toastElement;
    // What stands outside of an open dialog is neither seen nor read out.
    const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
    (dialog ?? document.body).append(toast);
    fill(toast, text, undo ? button("Undo", undo) : null);
    toast.classList.add("shown");
    const hide = () => {
      if (undo && toast.matches(":hover, :focus-within")) return this.hideToast(hide, 1000);
      toast.classList.remove("shown");
      toast.textContent = "";
    };
    this.hideToast(hide, (undo ? 10000 : 4000) + 40 * text.length);
  }

  hideToast(hide, wait) {
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(hide, wait);
  }

  /** Note that no two of these photos are duplicates. `undone` is called if it is taken back. */
  async keepApart(ids, undone) {
    const decide = (again) => this.api.ask("decisions", { json: { not_duplicates: ids, again } });
    await decide(false);
    this.toast("Kept: these photos are not duplicates of each other", () => this.attempt(async () => {
      await decide(true);
      undone();
      this.toast("Taken back: these photos may be duplicates of each other");
    }));
  }

  announce(text) {
    document.querySelector("#announcement").textContent = text;
  }

  async copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this.toast(`${what} copied`);
    } catch {
      // Browsers allow the clipboard only to pages from this computer or over HTTPS.
      await dialogs.shownText(`${what}: copy it from here`, text);
    }
  }

  /** Copy paths, one per line. A path with a line break would look like two, so it is left out. */
  async copyPaths(paths) {
    const whole = paths.filter((path) => !/[\n\r]/.test(path));
    const left = paths.length - whole.length;
    const copied = counted(whole.length, "path");
    await this.copy(whole.join("\n"),
      left ? `${counted(left, "path")} with a line break left out, ${copied}` : copied);
  }

  later(wait, call) {
    let timer = 0;
    return {
      start() {
        clearTimeout(timer);
        timer = setTimeout(call, wait);
      },
      stop() {
        clearTimeout(timer);
      },
    };
  }

  /** A note of the server may be a sentence, or one with what to do. */
  words(note) {
    return typeof note === "string" ? note : note.text;
  }

  changed() {
    this.views.search?.facets.forget();
    for (const [name, view] of Object.entries(this.views)) {
      if (name === this.state.view) view.refresh();
      else if (name === "search") view.asked = null;
    }
  }

  changedElsewhere() {
    if (this.refreshing) return;
    // New photos come many times a second while a run goes on. The page is brought up to date every
    // three seconds at most, more rarely where that takes long, and not under somebody's hands.
    const pause = Math.max(REFRESH, 10 * (this.views.search?.loadedIn ?? 0));
    this.refreshing = setTimeout(() => {
      this.refreshing = null;
      const isBusy = this.state.photo !== null || this.selection.isActive();
      if (isBusy) this.changedElsewhere();
      else this.changed();
    }, pause);
  }

  onEvent(name, listener) {
    (this.listeners[name] ??= []).push(listener);
    if (this.source) this.hear(name, listener);
  }

  hear(name, listener) {
    this.source.addEventListener(name, (event) => listener(JSON.parse(event.data)));
  }

  /** Keep the server's events open while the page is seen. Browsers allow six connections to a
   * server, so pages in the background give theirs back.
   */
  listenToEvents() {
    if (document.visibilityState !== "visible") {
      this.source?.close();
      this.source = null;
      return;
    }
    if (this.source) return;
    const source = this.api.events();
    this.source = source;
    for (const [name, listeners] of Object.entries(this.listeners)) {
      for (const listener of listeners) this.hear(name, listener);
    }
    source.addEventListener("error", async () => {
      if (!(await this.api.isThere())) this.lostServer();
      // A browser gives up after an answer that is not a stream, such as that there are too many.
      else if (source.readyState === EventSource.CLOSED && this.source === source) {
        setTimeout(() => {
          if (this.source !== source) return;
          this.source = null;
          this.listenToEvents();
        }, REFRESH);
      }
    });
  }

  /** Say that the server does not answer, and go on by itself when it does again. */
  async lostServer() {
    const banner = document.querySelector(".lost");
    if (document.querySelector("dialog[open]")) this.toast(LOST);
    if (this.isLost) return;
    this.isLost = true;
    banner.textContent = LOST;
    banner.hidden = false;
    do {
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    } while (!(await this.api.isThere()));
    this.isLost = false;
    banner.hidden = true;
    this.source?.close();
    this.source = null;
    this.listenToEvents();
    await this.attempt(() => this.refreshStatus());
    this.views[this.state.view].refresh();
    if (this.state.photo !== null) this.viewer.again();
    if (!this.views.search?.asked && this.state.view === "search") this.views.search.load(this.state);
  }
}

const app = new App();
app.begin();
