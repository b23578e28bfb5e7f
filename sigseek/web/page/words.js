// Numbers, dates and names as a person reads them, in the browser's locale.

const number = new Intl.NumberFormat();
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });
const exactPercent = new Intl.NumberFormat(undefined, {
  style: "percent", maximumSignificantDigits: 2,
});
const FORMS = {
  year: new Intl.DateTimeFormat(undefined, { timeZone: "UTC", year: "numeric" }),
  month: new Intl.DateTimeFormat(undefined, { timeZone: "UTC", year: "numeric", month: "long" }),
  day: new Intl.DateTimeFormat(undefined, { timeZone: "UTC", dateStyle: "long" }),
  minute: new Intl.DateTimeFormat(undefined, {
    timeZone: "UTC", dateStyle: "long", timeStyle: "short",
  }),
};
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function counted(amount, noun, plural = `${noun}s`) {
  return `${number.format(amount)} ${amount === 1 ? noun : plural}`;
}

export function inFigures(amount) {
  return number.format(amount);
}

/**
 * Return a probability in per cent that stays below the bound of a verdict if it is below: 0.496 is
 * a maybe, and "50 %" would be a match. The layout's steps of 1/65535 may be below by rounding.
 */
function belowBounds(value, form) {
  const bound = [0.1, 0.5].find((one) => value + 1 / 65535 < one);
  const below = [value, bound - 0.0006, bound - 0.0051].map((one) => form.format(one));
  return below.find((text) => !bound || text !== form.format(bound));
}

/** Return a probability, 0 to 1. Small ones keep two figures, so that 0.4 % is no 0 %. */
export function probability(value) {
  if (value > 0 && value < 0.0001) return `< ${exactPercent.format(0.0001)}`;
  return belowBounds(value, value < 0.1 ? exactPercent : percent);
}

/** Return a probability for the little room on a photo. */
export function roughly(value) {
  return value > 0 && value < 0.01 ? `< ${percent.format(0.01)}` : belowBounds(value, percent);
}

/** Return a size in bytes. */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let place = 0;
  let amount = bytes;
  while (amount >= 1000 && place < units.length - 1) {
    amount /= 1000;
    place += 1;
  }
  const form = new Intl.NumberFormat(undefined, {
    style: "unit", unit: units[place], unitDisplay: "short",
    maximumFractionDigits: place && amount < 100 ? 1 : 0,
  });
  return form.format(amount);
}

/** Return the time of a photo: local to its camera and as precise as its source ("1978",
 * "2016-12-24T10:02:17+01:00"). The offset is left out, because the time is the camera's.
 */
export function takenAt(text) {
  const parts = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d))?)?)?)?/.exec(text ?? "");
  if (!parts) return text ?? "";
  const [year, month, day, hour, minute] = parts.slice(1).map((part) => Number(part ?? 0));
  const time = new Date(Date.UTC(year, (month || 1) - 1, day || 1, hour, minute));
  time.setUTCFullYear(year);
  const form = parts[4] ? "minute" : parts[3] ? "day" : parts[2] ? "month" : "year";
  return FORMS[form].format(time);
}

/** Return a month or a year of the layout, whose times are minutes since 1970. */
export function periodOf(minutes, form = "month") {
  return FORMS[form].format(new Date(minutes * 60000));
}

/** Return the time of something that happened on this computer, given as ISO 8601. */
export function happenedAt(text) {
  return moment.format(new Date(text));
}

/** Return a duration in seconds, roughly. */
export function duration(seconds) {
  if (seconds < 90) return counted(Math.max(1, Math.round(seconds)), "second");
  if (seconds < 5400) return counted(Math.round(seconds / 60), "minute");
  return counted(Math.round(seconds / 360) / 10, "hour");
}

/** Return a sentence with its full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  // A name of a file is written as it is.
  const isName = /^\S*[./\\]\S/.test(trimmed);
  const begun = isName ? trimmed : trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** Return where a photo was taken. */
export function placeOf(photo) {
  const names = [photo.city, photo.region, photo.country].filter(Boolean);
  return names.filter((name, place) => name !== names[place - 1]).join(", ");
}

const DATE_SOURCES = {
  "exif original": "the camera",
  "exif digitized": "the camera or scanner",
  "exif modified": "a program that changed the file",
  xmp: "the file’s XMP",
  iptc: "the file’s IPTC",
  sidecar: "the XMP file beside it",
  "file name": "the file’s name",
  takeout: "Google Takeout",
};

/** Return where a photo's date comes from, as people say it. */
export function dateSource(source) {
  return DATE_SOURCES[source] ?? source;
}
