// Small windows over the page: a tag's name, a question, and what the keys do.

import { button, make } from "./elements.js";

/** Show a dialog until it is closed, and return the value it was closed with ("" by Escape). */
export function ask(title, ...content) {
  const heading = make("h2", { id: "dialog-title", text: title });
  const dialog = make("dialog", { class: "small", "aria-labelledby": "dialog-title" }, heading,
    ...content);
  document.body.append(dialog);
  dialog.showModal();
  dialog.scrollTop = 0; // the button that has the focus now may be below a long list
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("");
    });
  });
}

/** Ask for the name of a tag; `known` are suggested. Returns "" if nobody wants one. */
export async function tagName(title, known) {
  const input = make("input", {
    type: "text", name: "tag", list: "known-tags", autocomplete: "off", required: true,
    "aria-label": "Name of the tag", maxlength: 200,
  });
  const form = make("form", { method: "dialog" },
    input,
    make("datalist", { id: "known-tags" }, ...known.map((value) => make("option", { value }))),
    make("div", { class: "buttons" },
      button("Cancel", (event) => event.target.closest("dialog").close(""), { class: "quiet" }),
      make("button", { type: "submit", class: "primary", text: "OK" })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.closest("dialog").close(input.value.trim());
  });
  return ask(title, form);
}

/** Ask whether to do something. */
export async function confirmed(title, text, action) {
  const answer = await ask(
    title,
    make("p", { text }),
    make("div", { class: "buttons" },
      button("Cancel", (event) => event.target.closest("dialog").close(""), { class: "quiet" }),
      button(action, (event) => event.target.closest("dialog").close("yes"), { class: "primary" })),
  );
  return answer === "yes";
}

/** Let a person choose a directory of the server's machine. Returns its path, or "". */
export async function chosenDirectory(app) {
  const place = make("p", { class: "path" });
  const rows = make("ul", { class: "directories" });
  const use = button("Add this folder", (event) => {
    event.target.closest("dialog").close(chosen);
  }, { class: "primary", disabled: true });
  let chosen = "";
  const row = (text, path, extra = null) => make("li", {},
    button(text, () => go(path), { class: "directory" }), extra);
  async function go(path) {
    await app.attempt(async () => {
      const answer = await app.api.ask("directories", { query: { path } });
      chosen = answer.path ?? "";
      place.textContent = chosen || "Choose where to begin";
      use.disabled = !chosen;
      const above = answer.parent === null || answer.parent === undefined ? []
        : [row("← Up", answer.parent)];
      rows.replaceChildren(...above, ...answer.directories.map(
        (directory) => row(directory.name, directory.path),
      ));
      rows.querySelector("button")?.focus();
    });
  }
  const answer = ask("Add a folder", place, rows,
    make("div", { class: "buttons" },
      button("Cancel", (event) => event.target.closest("dialog").close(""), { class: "quiet" }),
      use));
  await go("");
  return answer;
}

/** Show a text that a person may copy by hand. */
export function shownText(title, text) {
  const area = make("textarea", { readonly: true, rows: 8, "aria-label": title });
  area.value = text;
  area.addEventListener("focus", () => area.select());
  return ask(title, area, make("div", { class: "buttons" },
    button("Close", (event) => event.target.closest("dialog").close(""), { class: "primary" })));
}
