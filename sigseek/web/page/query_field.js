// The one field: what is looked for, completed while it is typed, with errors told under the place
// that they are about, and a picture in the place of words.

import { icon, make, whenQuiet } from "./elements.js";
import { closed } from "./queries.js";
import { counted } from "./words.js";

/** What joins a term to the rest of a query, where the term is taken away. */
const LOOSE_AND = /^\s*AND\b|\bAND\s*$/g;
/** What stands behind the names of facts, told beside their suggestions. */
const MEANINGS = {
  "date:": "2024, 2024-05 or last month", "since:": "2023-05, or later",
  "until:": "yesterday, or earlier", "place:": "a city, region or country",
  "near:": "a city or coordinates", "camera:": "a camera or its maker", "lens:": "a lens",
  "in:": "a folder or directory", "rating:": "at least so many stars", "keyword:": "a keyword",
  "title:": "a part of the title", "person:": "a person's name", "format:": "JPEG, PNG and so on",
  "width:": "at least so many pixels", "height:": "at least so many pixels",
  "is:": "a state, such as portrait", "tag:": "a tag", "photo:": "a photo's number",
};
/** Milliseconds after which suggestions for what was typed before are taken away. */
const PATIENCE = 300;
const UPLOADED = /\bphoto:"?upload-([\w-]+)"?/i;

export class QueryField {
  /** `element` is the form. `onSearch(query)` is called when a query is to be answered. */
  constructor(element, app, { onSearch }) {
    this.app = app;
    this.onSearch = onSearch;
    this.form = element;
    this.input = element.querySelector("input[type=text]");
    this.list = element.querySelector("[role=listbox]");
    this.error = element.querySelector(".query-error");
    this.file = element.querySelector("input[type=file]");
    this.clear = element.querySelector(".query-clear");
    this.sent = element.querySelector(".query-picture");
    this.suggestions = [];
    this.chosen = -1;
    this.complete = whenQuiet(120, () => this.askForSuggestions());
    this.listen();
    this.listenToPictures();
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.close();
      // The server counts the columns of errors in what it is sent.
      this.input.value = this.input.value.trim();
      this.onSearch(this.input.value);
    });
    this.input.addEventListener("input", () => {
      this.showState();
      this.showError(null);
      // What is listed stays until the next answer, but it is about another text.
      this.suggestions = [];
      this.chosen = -1;
      this.list.setAttribute("aria-busy", "true");
      this.complete();
    });
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("scroll", () => this.placeError());
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option && this.suggestions.length) this.take(Number(option.dataset.place));
    });
    this.clear.addEventListener("click", () => {
      this.show("");
      this.onSearch("");
      this.input.focus();
    });
  }

  listenToPictures() {
    const choose = this.form.querySelector(".query-choose");
    choose.addEventListener("click", () => this.file.click());
    this.file.addEventListener("change", () => {
      if (this.file.files.length) this.upload(this.file.files[0]);
      this.file.value = "";
    });
    this.sent.addEventListener("click", () => {
      this.onSearch(this.words());
    });
    addEventListener("paste", (event) => {
      const picture = pictureIn(event.clipboardData);
      // Office programs put a picture of a text beside the text.
      const isText = event.target.closest?.("input, textarea")
        && event.clipboardData.getData("text/plain");
      if (!picture || isText) return;
      event.preventDefault();
      this.upload(picture);
    });
    let inside = 0;
    const over = (change) => {
      inside = change === 0 ? 0 : Math.max(0, inside + change);
      document.body.classList.toggle("dropping", inside > 0);
    };
    const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    addEventListener("dragenter", (event) => hasFile(event) && over(1));
    addEventListener("dragleave", (event) => hasFile(event) && over(-1));
    addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      over(0);
      const picture = pictureIn(event.dataTransfer);
      if (picture) this.upload(picture);
      else this.app.toast("This browser does not know that as a picture.");
    });
  }

  /** Show a query that was asked elsewhere, as by a link. */
  show(query) {
    if (this.input.value.trim() !== query) this.input.value = query;
    this.showState();
    this.close();
  }

  showState() {
    this.clear.hidden = !this.input.value;
    const token = UPLOADED.exec(this.input.value)?.[1];
    this.sent.hidden = !token;
    if (!token) return;
    const picture = make("img", { src: `/api/v1/uploads/${token}/thumbnail`, alt: "" });
    // The server keeps an uploaded picture for some minutes only.
    picture.addEventListener("error", () => picture.replaceWith(icon("picture")));
    this.sent.replaceChildren(picture, icon("close"));
    this.sent.setAttribute("aria-label", "Search without the picture");
  }

  /** Return what was typed beside the picture. */
  words() {
    return this.input.value.replace(UPLOADED, "").trim().replace(LOOSE_AND, "").trim();
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  pressed(event) {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (!this.suggestions.length) {
        if (key === "ArrowDown") this.askForSuggestions();
        return;
      }
      event.preventDefault();
      const count = this.suggestions.length;
      const step = key === "ArrowDown" ? 1 : -1;
      this.choose(this.chosen < 0 && step < 0 ? count - 1 : (this.chosen + step + count) % count);
    } else if ((key === "Enter" || key === "Tab") && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.chosen);
    } else if (key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  async askForSuggestions() {
    this.complete.stop();
    this.asking?.abort();
    const { signal } = this.asking = new AbortController();
    const late = setTimeout(() => this.suggestNothing(), PATIENCE);
    const caret = this.input.selectionStart ?? this.input.value.length;
    const at = [...this.input.value.slice(0, caret)].length;
    try {
      const answer = await this.app.api.ask("completion", {
        query: { q: this.input.value, at }, signal,
      });
      if (document.activeElement !== this.input) return;
      this.open(answer);
    } catch {
      // Without suggestions one can still type. Of a request that was aborted, the next one tells.
      if (!signal.aborted) this.suggestNothing();
    } finally {
      clearTimeout(late);
    }
  }

  open({ start, end, suggestions }) {
    this.range = [units(this.input.value, start), units(this.input.value, end)];
    this.suggestions = suggestions;
    this.chosen = -1;
    this.list.replaceChildren(...this.suggestions.map((suggestion, place) => make(
      "li",
      { role: "option", id: `suggestion-${place}`, "data-place": place, "aria-selected": "false" },
      make("span", { text: suggestion.label ?? suggestion.text }),
      Number.isFinite(suggestion.photos)
        ? make("small", { text: counted(suggestion.photos, "photo") }) : null,
      suggestion.text in MEANINGS
        ? make("small", { class: "meaning", text: MEANINGS[suggestion.text] }) : null,
    )));
    const isOpen = this.suggestions.length > 0;
    this.list.hidden = !isOpen;
    this.list.removeAttribute("aria-busy");
    this.input.setAttribute("aria-expanded", String(isOpen));
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.complete.stop();
    this.asking?.abort();
    this.suggestNothing();
  }

  suggestNothing() {
    this.open({ start: 0, end: 0, suggestions: [] });
  }

  choose(place) {
    this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = place;
    const option = this.list.children[place];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  /** Put a suggestion into the query. The name of a fact is completed further. */
  take(place) {
    const { text } = this.suggestions[place];
    const [start, end] = this.range;
    const isName = text.endsWith(":");
    const rest = this.input.value.slice(end);
    const written = isName || rest.startsWith(" ") ? text : `${text} `;
    this.input.value = this.input.value.slice(0, start) + written + rest;
    const caret = start + written.length;
    this.input.setSelectionRange(caret, caret);
    this.close();
    this.showState();
    this.input.focus();
    if (isName) this.askForSuggestions();
  }

  /** Show what is wrong with the query under the column that it is about, or nothing for null. */
  showError(problem) {
    this.problem = problem;
    this.error.hidden = !problem;
    this.input.setAttribute("aria-invalid", String(Boolean(problem)));
    if (!problem) {
      this.error.replaceChildren();
      return;
    }
    const text = problem.inWords().replace(/^column \d+: /, "");
    this.error.replaceChildren(
      make("span", { class: "query-error-mark", "aria-hidden": "true" }),
      make("span", { class: "query-error-text", text }),
    );
    this.placeError();
    if (problem.column && document.activeElement === this.input) {
      const [start, end] = this.wrongPart();
      if (problem.length) this.input.setSelectionRange(start, end);
    }
  }

  placeError() {
    if (!this.problem) return;
    const mark = this.error.firstChild;
    mark.hidden = !this.problem.column;
    if (!this.problem.column) return;
    const style = getComputedStyle(this.input);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const [start, end] = this.wrongPart();
    const before = pen.measureText(this.input.value.slice(0, start)).width;
    const width = Math.max(8, pen.measureText(this.input.value.slice(start, end)).width);
    const begin = this.input.offsetLeft + parseFloat(style.paddingLeft) - this.input.scrollLeft;
    mark.style.left = `${begin + before}px`;
    mark.style.width = `${width}px`;
    const room = Math.max(0, this.error.clientWidth - 280);
    this.error.style.setProperty("--indent", `${Math.min(begin + before, room)}px`);
  }

  /** Return where the part of the query begins and ends that the problem is about. */
  wrongPart() {
    const start = this.problem.column - 1;
    const length = Math.max(1, this.problem.length ?? 1);
    return [units(this.input.value, start), units(this.input.value, start + length)];
  }

  /** Send a picture, and search for photos like it with the facts and words that were typed. */
  async upload(picture) {
    const form = new FormData();
    form.append("file", picture, picture.name || "pasted picture");
    this.sending = form;
    this.form.classList.add("busy");
    try {
      const answer = await this.app.api.ask("uploads", { form });
      if (this.sending !== form) return;  // another picture was sent meanwhile
      const token = answer.photo.replace(/^upload[:-]/, "");
      const words = this.words();
      const query = `photo:upload-${token}`;
      this.onSearch(words ? `${query} AND ${closed(words)}` : query);
    } catch (error) {
      this.app.fail(error);
    } finally {
      if (this.sending === form) this.form.classList.remove("busy");
    }
  }
}

/** Return how many units of a text its first characters take: the server counts characters, and
 * browsers count some of them as two.
 */
function units(text, characters) {
  return [...text].slice(0, characters).join("").length;
}

function pictureIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  // Browsers know no type for some formats, such as RAW; the server looks for itself.
  return files.find((file) => file.type.startsWith("image/")) ?? files.find((file) => !file.type);
}
