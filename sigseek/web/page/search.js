// The view of photos: a query's answer as headline and grid, with the strip and the facets.

import { Facets } from "./facets.js";
import { Grid } from "./grid.js";
import { Headline } from "./headline.js";
import { readLayout } from "./layout.js";
import { PhotoList } from "./photos.js";
import { sameList } from "./router.js";
import { Strip } from "./strip.js";
import { sentence } from "./words.js";

/** How many hits the first request asks for, and the fewest that are shown where nothing
 * matches. Those that may match are shown, too.
 */
const FIRST = 60;
const NEAREST = 12;
const NOTHING = { count: 0, ids: new Float64Array(0), ratios: new Uint16Array(0),
  probabilities: new Uint16Array(0), minutes: new Int32Array(0),
  colors: new Uint8Array(0) };

export function mount(element, app) {
  return new SearchView(element, app);
}

class SearchView {
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.headline = new Headline(element.querySelector(".answer"), app);
    this.grid = new Grid(element.querySelector(".scroller"), app, {
      onOpen: (place) => app.openPhoto(this.list.id(place)),
      onPlace: (place) => this.isShown && app.router.remember(place),
      onScroll: () => this.strip?.follow(),
    });
    this.strip = new Strip(element.querySelector(".strip"), this.grid);
    this.facets = new Facets(element, app);
    this.list = null;
    this.asked = null;
    this.isShown = false;
  }

  show(state, before) {
    this.isShown = true;
    this.element.hidden = false;
    document.title = state.q ? `${state.q} · sigseek` : "sigseek";
    if (!this.asked || !sameList(state, this.asked)) this.load(state);
    else if (!before || before.view !== "search") {
      this.grid.resized();
      this.grid.scrollTo(this.grid.topOf(state.at));
      this.strip.arrange();
    } else if (state.at !== before.at && state.photo === before.photo) {
      this.grid.scrollTo(this.grid.topOf(state.at));
    }
  }

  hide() {
    this.isShown = false;
    this.element.hidden = true;
  }

  /** Ask the same again, because the library has changed, and stay where one is. */
  refresh() {
    if (!this.asked) return;
    this.load({ ...this.app.state, at: this.grid.firstShown() }, { isAgain: this.list !== null });
  }

  /** Answer the state's query. `isAgain` tells that the same was shown before: then nothing may
   * jump.
   */
  async load(state, { isAgain = false } = {}) {
    this.asked = state;
    this.headline.showOrder(state);
    this.loading?.abort();
    const loading = new AbortController();
    this.loading = loading;
    const wait = this.app.later(300, () => this.element.classList.add("waiting"));
    wait.start();
    const begin = performance.now();
    try {
      await this.answer(state, loading.signal, isAgain);
      this.loadedIn = performance.now() - begin;
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      wait.stop();
      if (this.loading === loading) this.element.classList.remove("waiting");
    }
  }

  async answer(state, signal, isAgain) {
    const { q, sort, all } = state;
    const query = { q, sort, all };
    // The first photos and the whole order are asked for at once; the first come sooner.
    const whole = this.app.api.bytes("search/layout", { query, signal }).then(readLayout);
    whole.catch(() => {});
    const answer = await this.app.api.ask("search", {
      query: { ...query, limit: FIRST, explain: Boolean(q) }, signal,
    });
    signal.throwIfAborted();
    this.app.field.showError(null);
    this.answered = answer;
    if (!isAgain) this.app.selection.clear();
    if (!answer.photos && !q) {
      this.greet();
      return;
    }
    if (!answer.hits.length && answer.photos && q) {
      await this.showNearest(state, answer, signal, isAgain);
      return;
    }
    this.headline.show(answer, state, { isAgain });
    this.app.facts.keep(answer.hits);
    const first = PhotoList.of(answer.hits, answer.judged_by);
    // At another place than the beginning, the whole order is needed to know what stands there.
    const isWhole = answer.next === null && answer.hits.length < FIRST;
    if (!isAgain && (isWhole || state.at < answer.hits.length)) this.showList(first, state);
    this.facets.show(state, answer);
    if (isWhole && !isAgain) return;
    const list = isWhole ? first : await this.wholeList(whole, first, answer.judged_by);
    signal.throwIfAborted();
    if (list === this.list) return;
    if (isAgain || this.list === first) this.replaceList(list, state);
    else this.showList(list, state);
  }

  /** Return the list of all photos, or the first ones where the order of all cannot be had. */
  async wholeList(whole, first, judgedBy) {
    try {
      return new PhotoList(await whole, judgedBy);
    } catch (error) {
      this.app.fail(error);
      return first;
    }
  }

  showList(list, state) {
    this.list = list;
    this.element.classList.remove("nothing");
    this.grid.show(list, Math.min(state.at, Math.max(0, list.count - 1)));
    this.strip.show(stripBy(state, list));
    this.app.listChanged();
  }

  replaceList(list, state) {
    this.list = list;
    this.element.classList.remove("nothing");
    this.grid.replace(list);
    this.strip.show(stripBy(state, list));
    this.app.listChanged();
  }

  /** Show the photos that come nearest where none matches. */
  async showNearest(state, answer, signal, isAgain) {
    const limit = Math.min(FIRST, Math.max(NEAREST, answer.maybes));
    const { hits } = await this.app.api.ask("search", {
      query: { q: state.q, all: true, limit, explain: true }, signal,
    });
    signal.throwIfAborted();
    this.headline.show(answer, state, { nearest: hits.length > 0, isAgain });
    this.app.facts.keep(hits);
    const list = PhotoList.of(hits, answer.judged_by);
    list.isNearest = true;
    this.showList(list, { ...state, at: 0 });
    this.facets.show(state, answer);
  }

  greet() {
    this.showList(new PhotoList(NOTHING, "facts"), this.app.state);
    this.element.classList.add("nothing");
    this.headline.greet(this.app.canAdd);
    this.facets.hide();
  }

  failed(error) {
    if (!error.status) this.asked = null;  // the server is lost: ask again when it is back
    if (!error.inWords) throw error;
    if (!error.status && this.list) return;
    this.showList(new PhotoList(NOTHING, "facts"), { ...this.app.state, at: 0 });
    this.element.classList.add("nothing");
    this.facets.hide();
    this.app.selection.clear();
    if (error.column || [400, 404, 422].includes(error.status)) {
      this.app.field.showError(error);
      this.headline.showProblem("This query cannot be answered");
    } else {
      this.headline.showProblem(sentence(error.inWords()));
    }
  }
}

/** Return what the strip tells beside a list in this order, or null for nothing. */
function stripBy(state, list) {
  if (state.sort === "date" || state.sort === "-date") return "date";
  if (state.sort !== "match") return null;
  if (!state.q) return "date";
  return list.isJudged ? "match" : null;
}
