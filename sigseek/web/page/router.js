// The page's state is its address, so that Back, Forward, Reload and a sent link restore it.

/** `kinds` are those of the groups that the view of duplicates shows. */
const USUAL = {
  view: "search", q: "", sort: "match", all: false, photo: null, at: 0, kinds: "identical,near",
};

/** Return the state that an address's query part tells. */
export function read(search) {
  const given = new URLSearchParams(search);
  const view = given.get("view");
  return {
    view: ["search", "duplicates", "library"].includes(view) ? view : USUAL.view,
    q: given.get("q") ?? USUAL.q,
    sort: given.get("sort") ?? USUAL.sort,
    all: given.get("all") === "1",
    photo: wholeNumber(given.get("photo"), USUAL.photo),
    at: wholeNumber(given.get("at"), USUAL.at),
    kinds: given.get("kinds") ?? USUAL.kinds,
  };
}

/** Return the address of a state, without what is as usual. */
export function write(state) {
  const given = new URLSearchParams();
  for (const [name, usual] of Object.entries(USUAL)) {
    const value = state[name];
    if (value === usual || value === undefined) continue;
    if (name === "kinds" && state.view !== "duplicates") continue;
    given.set(name, value === true ? "1" : String(value));
  }
  const query = given.toString();
  return query ? `/?${query}` : "/";
}

/** Return whether two states show the same photos in the same order. */
export function sameList(one, other) {
  return one.q === other.q && one.sort === other.sort && one.all === other.all;
}

function wholeNumber(text, otherwise) {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : otherwise;
}

export class Router {
  /** `onChange(state, before)` is called after every change of the state. */
  constructor(onChange) {
    this.state = read(location.search);
    this.onChange = onChange;
    // Entries of this page's history that lie behind the present one: Back stays on the page.
    this.depth = history.state?.depth ?? 0;
    history.scrollRestoration = "manual";
    addEventListener("popstate", (event) => {
      const before = this.state;
      this.state = read(location.search);
      this.depth = event.state?.depth ?? 0;
      this.onChange(this.state, before);
    });
  }

  /** Go to the state that differs from the present one by `changes`. */
  go(changes, { replace = false } = {}) {
    const before = this.state;
    this.state = { ...before, ...changes };
    const isSame = write(this.state) === write(before);
    if (!replace && !isSame) this.depth += 1;
    const record = { depth: this.depth };
    if (replace || isSame) history.replaceState(record, "", write(this.state));
    else history.pushState(record, "", write(this.state));
    this.onChange(this.state, before);
  }

  /** Remember a place in the list, which changes nothing else. */
  remember(at) {
    if (at === this.state.at) return;
    this.state = { ...this.state, at };
    history.replaceState({ depth: this.depth }, "", write(this.state));
  }
}
