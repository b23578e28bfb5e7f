// Elements of the page, made from script. The content security policy allows no markup in text, so
// whatever a file name holds can only ever become text.

const SVG = "http://www.w3.org/2000/svg";

/** Return a new element. `properties` are attributes; `on` maps events to listeners; `text` is its
 * text. Attributes that are false, null or undefined are left out.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = value;
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put children in the place of an element's own; those that are null are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

/** Lines of 24 x 24 pictograms, drawn with a pen of 1.75. */
const ICONS = {
  search: "M10.5 4a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M15.5 15.5L20 20",
  close: "M6 6l12 12M18 6L6 18",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l3-3l4 4M15.5 9.5h.01",
  filter: "M4 6h16M7 12h10M10 18h4",
  previous: "M14.5 5.5L8 12l6.5 6.5",
  next: "M9.5 5.5L16 12l-6.5 6.5",
  information: "M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17M12 11v5.5M12 7.7h.01",
  zoom: "M10.5 4a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M15.5 15.5L20 20M10.5 7.5v6M7.5 10.5h6",
  download: "M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14",
  check: "M5.5 12.5l4 4l9-9.5",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  tag: "M4 4h8l8 8l-8 8l-8-8zM8.5 8.5h.01",
  folder: "M3.5 6h6l2 2.5h9V19h-17z",
  help: "M9.5 9.3a2.7 2.7 0 1 1 3.8 2.5c-.9.5-1.3 1-1.3 2M12 17h.01M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17",
};

/** Return a pictogram, which says nothing to screen readers. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}

/** Return a button with a pictogram, named by `name`. */
export function iconButton(name, pictogram, onClick, properties = {}) {
  return make(
    "button",
    { type: "button", class: "icon-button", "aria-label": name, title: name, ...properties,
      on: { click: onClick } },
    icon(pictogram),
  );
}

/** Return a button with a text. */
export function button(text, onClick, properties = {}) {
  return make("button", { type: "button", text, ...properties, on: { click: onClick } });
}

/** Call `call` only when nothing came for `wait` milliseconds. `stop()` gives a waiting call up. */
export function whenQuiet(wait, call) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), wait);
  };
  later.stop = () => clearTimeout(timer);
  return later;
}
