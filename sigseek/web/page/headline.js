// What is said of an answer: the headline, what a reader should know, and what the numbers mean.

import { button, fill, make } from "./elements.js";
import { freed, parts } from "./queries.js";
import { counted, inFigures, sentence } from "./words.js";

const ORDERS = [
  ["match", "Best match first"],
  ["-date", "Newest first"],
  ["date", "Oldest first"],
  ["rating", "Most stars first"],
  ["added", "Last added first"],
  ["path", "By path"],
];

/** The expected number is told if it is this many times the number of matches and maybes. */
const MUCH_MORE = 1.25;

export class Headline {
  constructor(element, app) {
    this.app = app;
    this.title = element.querySelector("h1");
    this.notes = element.querySelector(".notes");
    this.chips = element.querySelector(".chips");
    this.order = element.querySelector(".order");
    this.toggle = element.querySelector(".list-all");
    for (const [value, text] of ORDERS) this.order.append(make("option", { value, text }));
    this.order.addEventListener("change", () => app.go({ sort: this.order.value, at: 0 }));
    this.toggle.addEventListener("click", () => {
      app.go({ all: !app.state.all, at: 0 });
    });
  }

  /** Show what is said of an answer. `nearest` tells that nothing matches and the photos that come
   * nearest are shown. Screen readers do not read out an answer that `isAgain` there, such as those
   * that come every few seconds while photos are indexed.
   */
  show(answer, state, { nearest = false, isAgain = false } = {}) {
    const words = `${headline(answer, state.q)}${nearest ? ". These come nearest" : ""}`;
    this.title.textContent = words;
    if (!isAgain) this.app.announce(words);
    this.showNotes(answer);
    this.showChips(answer, state);
    this.order.firstChild.textContent = answer.judged_by === "facts"
      ? "First added first" : "Best match first";
    const isJudged = !["facts", "nothing"].includes(answer.judged_by);
    const hasMore = isJudged && answer.photos > answer.matches;
    this.toggle.hidden = !(hasMore || state.all) || !state.q;
    this.toggle.textContent = state.all ? "Only what matches" : "Show all, matching or not";
    this.toggle.setAttribute("aria-pressed", String(state.all));
  }

  /** Show the order that photos are asked for in. */
  showOrder(state) {
    // Without a query there is no best match, and the newest come first.
    this.order.firstChild.hidden = !state.q;
    this.order.value = !state.q && state.sort === "match" ? "-date" : state.sort;
  }

  showNotes(answer) {
    const lines = answer.notes.filter(isForPage).map((note) => this.app.words(note));
    const legend = (answer.legend ?? []).map((line) => this.app.words(line));
    this.notes.replaceChildren(
      ...lines.map((text) => make("p", { class: "note", text: sentence(text) })),
      ...legend.map((text) => make("p", { class: "legend", text: sentence(text) })),
    );
  }

  /** Show the facts that narrow the search, each of which can be taken away. */
  showChips(answer, state) {
    const facts = answer.selection ? parts(answer.selection) ?? [answer.selection] : [];
    this.chips.replaceChildren(...facts.map((term) => {
      const rest = freed(state.q, answer.query, term);
      if (rest === null) return make("span", { class: "chip", text: spoken(term) });
      return make(
        "button",
        { type: "button", class: "chip", "aria-label": `Search without ${spoken(term)}`,
          on: { click: () => this.app.search(rest) } },
        spoken(term), make("span", { class: "chip-close", "aria-hidden": "true", text: "×" }),
      );
    }));
    this.chips.hidden = facts.length === 0;
  }

  /** Show that something went wrong. */
  showProblem(text) {
    this.title.textContent = text;
    this.notes.replaceChildren();
    this.chips.hidden = true;
    this.toggle.hidden = true;
    this.app.announce(text);
  }

  /** Greet whoever opens a library without photos. */
  greet(canChange) {
    this.title.textContent = "This library has no photos yet";
    this.chips.hidden = true;
    this.toggle.hidden = true;
    const text = canChange
      ? "Add a folder, and its photos appear here while they are indexed. Your files stay where "
        + "they are and are only read."
      : "Photos appear here once a folder was indexed: sigseek index FOLDER";
    fill(
      this.notes,
      make("p", { class: "note", text }),
      canChange
        ? button("Add a folder", () => this.app.go({ view: "library" }), { class: "primary" })
        : null,
    );
    this.app.announce(this.title.textContent);
  }
}

/** Return whether a note is not about a parameter of the request, for which the page has a button. */
function isForPage(note) {
  return !(note.remedy?.calls ?? []).some(({ kind, options }) => kind === "option" && "all" in options);
}

/** Say how many photos match, in the words of the command line, which lists only some of them. */
function headline(answer, query) {
  if (!query) return counted(answer.photos, "photo");
  if (!answer.photos || answer.judged_by === "nothing") return answer.headline;
  const about = answer.counted === false ? rounded : inFigures;
  const { matches, maybes, expected } = answer;
  const label = ["uncalibrated", "provisional"].includes(answer.judged_by)
    ? ` (${answer.judged_by})` : "";
  const verb = matches === 1 ? "matches" : "match";
  let text = matches
    ? `${answer.counted === false ? "About " : ""}${about(matches)} ${
      matches === 1 ? "photo" : "photos"} ${verb}${label}`
    : `No photo matches${label}`;
  if (matches && answer.counted && expected > MUCH_MORE * (matches + maybes) + 1) {
    text += `, probably about ${rounded(expected)} of ${inFigures(answer.photos)} in all`;
  }
  if (maybes) text += `; ${about(maybes)} ${matches ? "more " : ""}may`;
  return text;
}

function rounded(amount) {
  return inFigures(Number(amount.toPrecision(2)));
}

/** Return a term as a person reads it: `place:"=Lisbon, Portugal"` as "place: Lisbon, Portugal". */
function spoken(term) {
  // The sign before a whole name says nothing to readers; before a number it does.
  const parts = /^(NOT )?(\w+):"(?:=(?![-\d]))?((?:[^"\\]|\\.)*)"$/.exec(term);
  if (!parts) return term;
  return `${parts[1] ? "not " : ""}${parts[2]}: ${parts[3].replace(/\\(.)/g, "$1")}`;
}
