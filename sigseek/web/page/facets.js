// What the photos of an answer have in common, with how many have it: a panel that narrows the
// search.

import { button, iconButton, make } from "./elements.js";
import { MonthChart } from "./months.js";
import { narrowed } from "./queries.js";
import { counted, inFigures } from "./words.js";

const KINDS = [
  ["place", "Place"], ["camera", "Camera"], ["tag", "Tag"], ["rating", "Rating"],
  ["folder", "Folder"], ["format", "Format"],
];
const OF_EACH = 6;
const MANY = 60;
const WIDE = 1400;

export class Facets {
  /** `view` is the element of the search view, which holds the panel and its button. */
  constructor(view, app) {
    this.app = app;
    this.view = view;
    this.panel = view.querySelector(".facets");
    this.toggle = view.querySelector(".facets-toggle");
    this.asked = null;
    this.shown = null;
    const kept = localStorage.getItem("facets");
    this.isOpen = kept ? kept === "open" && innerWidth >= 900 : innerWidth >= WIDE;
    this.toggle.addEventListener("click", () => this.open(!this.isOpen));
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.open(false);
      this.toggle.focus();
    });
    this.body = make("div", { class: "facets-body" });
    this.panel.append(
      make("div", { class: "facets-head" },
        make("h2", { text: "Narrow the search" }),
        iconButton("Close", "close", () => {
          this.open(false);
          this.toggle.focus();
        })),
      this.body);
    this.open(this.isOpen, false);
  }

  open(isOpen, remember = true) {
    this.isOpen = isOpen;
    this.panel.hidden = !isOpen;
    this.view.classList.toggle("with-facets", isOpen);
    this.toggle.setAttribute("aria-expanded", String(isOpen));
    if (remember) localStorage.setItem("facets", isOpen ? "open" : "closed");
    if (isOpen && this.asked !== null) this.load();
  }

  /** Show the facets of an answer. */
  show(state, answer) {
    this.toggle.hidden = false;
    this.asked = state.q;
    this.answered = answer;
    if (this.isOpen) this.load();
  }

  hide() {
    this.asked = null;
    this.toggle.hidden = true;
    this.panel.hidden = true;
    this.view.classList.remove("with-facets");
  }

  async load() {
    this.panel.hidden = false;
    this.view.classList.add("with-facets");
    this.loading?.abort();
    if (this.shown === this.asked) return;
    const q = this.asked;
    this.loading = new AbortController();
    const { signal } = this.loading;
    await this.app.attempt(async () => {
      // By folder alone, the directories one level below those that the query names are counted.
      const [found, months, folders] = await Promise.all([
        this.app.api.ask("facets", { query: { q, limit: OF_EACH }, signal }),
        this.app.api.ask("facets", { query: { q, by: "month", limit: 2400 }, signal }),
        this.app.api.ask("facets", { query: { q, by: "folder", limit: OF_EACH }, signal }),
      ]);
      this.shown = q;
      this.fill(q, found, months, folders);
    });
  }

  /** Count again: the library has changed. */
  forget() {
    this.shown = null;
  }

  fill(q, found, months, folders) {
    const sections = [this.dates(q, months)];
    for (const [kind, title] of KINDS) {
      const counts = kind === "folder" ? folders : found;
      const values = counts.values.filter((facet) => facet.by === kind);
      const known = values.filter((facet) => facet.value !== null);
      if (known.length) sections.push(this.section(kind, title, values, counts.left_out[kind] ?? 0));
    }
    const shown = sections.filter(Boolean);
    if (!shown.length) shown.push(make("p", { class: "legend", text: "There is nothing to count." }));
    this.body.replaceChildren(...shown);
    this.chart?.draw();
  }

  dates(q, months) {
    const known = months.values.filter((facet) => facet.value !== null);
    if (!known.length) return null;
    const from = make("input", { type: "text", "aria-label": "From", placeholder: "2023-05" });
    const until = make("input", { type: "text", "aria-label": "Until", placeholder: "today" });
    this.keepTyped(from, until);
    const choose = (begin, end) => {
      from.value = "";
      until.value = "";
      if (begin || end) this.narrow(`date:"${begin === end ? begin : `${begin}..${end}`}"`);
    };
    this.chart = new MonthChart(known, {
      onPick: choose,
      onPreview: (begin, end) => {
        from.value = begin;
        until.value = end;
      },
    });
    const form = make("form", { class: "dates" }, from, make("span", { text: "to" }), until,
      make("button", { type: "submit", text: "Show" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      choose(from.value.trim(), until.value.trim());
    });
    const undated = months.values.find((facet) => facet.value === null);
    return make("section", {}, make("h3", { text: "Date" }), this.chart.element, form,
      undated ? this.value({ ...undated, query: undated.query ?? "is:undated" }, "no date") : null);
  }

  /** Let new fields take over what somebody is typing into those that they replace. */
  keepTyped(...fields) {
    const old = [...this.body.querySelectorAll(".dates input")];
    fields.forEach((field, place) => {
      field.value = old[place]?.value ?? "";
      if (old[place] && old[place] === document.activeElement) queueMicrotask(() => field.focus());
    });
  }

  section(kind, title, values, leftOut) {
    const rows = make("ul", {}, ...values.map((facet) => make("li", {}, this.value(facet))));
    const section = make("section", {}, make("h3", { text: title }), rows);
    if (leftOut) {
      section.append(button(`${inFigures(leftOut)} more`, async (event) => {
        event.target.remove();
        await this.app.attempt(async () => {
          const { values: all } = await this.app.api.ask("facets", {
            query: { q: this.asked, by: kind, limit: MANY },
          });
          rows.replaceChildren(...all.map((facet) => make("li", {}, this.value(facet))));
          rows.querySelector("button")?.focus();
        });
      }, { class: "link" }));
    }
    return section;
  }

  value(facet, text = valueInWords(facet)) {
    const content = [
      make("span", { class: "facet-value", text, title: text }),
      make("span", { class: "facet-count", text: inFigures(facet.photos) }),
    ];
    if (!facet.query) return make("div", { class: "facet" }, ...content);
    return make("button", {
      type: "button", class: "facet", "aria-label": `${text}, ${counted(facet.photos, "photo")}`,
      on: { click: () => this.narrow(facet.query) },
    }, ...content);
  }

  narrow(term) {
    if (innerWidth < 900) this.open(false);
    this.app.search(narrowed(this.asked, term));
  }
}

function valueInWords({ by, value, label }) {
  if (value === null) return label;
  if (by === "rating") return value === -1 ? "rejected" : "★".repeat(value);
  if (by === "format") return String(value).toUpperCase();
  if (by === "folder") return String(value).split(/[\\/]/).filter(Boolean).pop() ?? String(value);
  return label;
}
