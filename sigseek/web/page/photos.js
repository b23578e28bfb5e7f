// The photos of an answer: their order and shapes are known at once, their facts when somebody
// looks at them.

import { layoutOf, shownRatio } from "./layout.js";

const MATCH_FROM = 0.5;
const MAYBE_FROM = 0.1;
/** The most photos whose facts are kept, and that one request asks for. */
const KEPT = 4000;
const AT_ONCE = 200;

/** What is known of photos, by their numbers. */
export class PhotoFacts {
  constructor(api) {
    this.api = api;
    this.known = new Map();
    this.asked = new Set();
  }

  get(id) {
    return this.known.get(id) ?? null;
  }

  keep(photos) {
    for (const photo of photos) {
      this.known.delete(photo.id);
      this.known.set(photo.id, photo);
    }
    for (const id of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      this.known.delete(id);
    }
  }

  forget(ids) {
    for (const id of ids) this.known.delete(id);
  }

  /** Ask the server for what is not known of these photos. Returns whether anything new came. */
  async fetch(ids) {
    const unknown = ids.filter((id) => !this.known.has(id) && !this.asked.has(id));
    let isNew = false;
    for (let start = 0; start < unknown.length; start += AT_ONCE) {
      const part = unknown.slice(start, start + AT_ONCE);
      part.forEach((id) => this.asked.add(id));
      try {
        const answer = await this.api.ask("photos", { query: { ids: part.join(",") } });
        this.keep(answer.photos);
        isNew ||= answer.photos.length > 0;
      } finally {
        part.forEach((id) => this.asked.delete(id));
      }
    }
    return isNew;
  }
}

/** The photos of an answer in their order. */
export class PhotoList {
  /** `columns` are those of `readLayout`; `judgedBy` tells whether probabilities mean anything. */
  constructor(columns, judgedBy) {
    this.columns = columns;
    this.isJudged = judgedBy === "calibrated" || judgedBy === "uncalibrated"
      || judgedBy === "provisional";
    this.places = null;
  }

  static of(photos, judgedBy) {
    return new PhotoList(layoutOf(photos), judgedBy);
  }

  get count() {
    return this.columns.count;
  }

  id(place) {
    return this.columns.ids[place];
  }

  ratio(place) {
    return shownRatio(this.columns.ratios[place]);
  }

  probability(place) {
    return this.columns.probabilities[place] / 65535;
  }

  /** Return the photo's mean colour as CSS writes it, or "" where it is not known. */
  color(place) {
    const [red, green, blue] = this.columns.colors.subarray(3 * place, 3 * place + 3);
    return red || green || blue ? `rgb(${red} ${green} ${blue})` : "";
  }

  /** Return "match", "maybe" or "no match", or null where photos are not judged. */
  verdict(place) {
    if (!this.isJudged) return null;
    // A probability is sent in steps of 1/65535, so one of exactly 0.5 may arrive a little lower.
    const value = this.probability(place) + 1 / 65535;
    return value >= MATCH_FROM ? "match" : value >= MAYBE_FROM ? "maybe" : "no match";
  }

  /** Return the place of a photo in the list, or -1. */
  placeOf(id) {
    this.places ??= new Map();
    if (!this.places.has(id)) this.places.set(id, this.columns.ids.indexOf(id));
    return this.places.get(id);
  }
}
