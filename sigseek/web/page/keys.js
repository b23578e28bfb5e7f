// Keys that work on the whole page, and the list of all keys, which `?` shows.

import { button, make } from "./elements.js";
import { ask } from "./dialogs.js";

const KEYS = [
  ["/", "go to the search field"],
  ["Arrows, Home, End, Page up, Page down", "move among the photos"],
  ["Enter", "open the photo"],
  ["Space or x", "select it, or no longer"],
  ["Shift and arrows, Shift and click", "select several"],
  ["Ctrl and a", "select all photos of the answer"],
  ["Escape", "close; give up the selection"],
  ["Left, right", "in the viewer: the photo before, the next photo"],
  ["z", "in the viewer: its pixels, one by one"],
  ["i", "in the viewer: show or hide its facts"],
  ["m, n", "in the viewer: more like this, not like this"],
  ["d", "in the viewer: download the file"],
  ["?", "this list"],
];

export function showKeys() {
  return ask(
    "Keys",
    make("dl", { class: "keys" }, ...KEYS.flatMap(([key, does]) => [
      make("dt", { text: key }), make("dd", { text: does }),
    ])),
    make("div", { class: "buttons" },
      button("Close", (event) => event.target.closest("dialog").close(""), { class: "primary" })),
  );
}

/** Listen to the keys of the whole page. */
export function listenToKeys(app) {
  addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
    const isAlone = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isTyping || document.querySelector("dialog[open]")) return;
    if (event.key === "/" && isAlone) {
      event.preventDefault();
      app.field.focus();
    } else if (event.key === "?" && isAlone) {
      event.preventDefault();
      showKeys();
    } else if (event.key === "Escape" && app.selection.isActive()) {
      app.selection.clear();
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey) && app.list()) {
      event.preventDefault();
      app.selection.chooseAll();
    }
  });
}
