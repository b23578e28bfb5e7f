// The arithmetic of the grid: where each photo stands, and how a list that is taller than browsers
// allow is scrolled. Nothing here touches the page.

const MAGIC = 0x53474c31;
const UNDATED = -(2 ** 31);

/** Photos wider or narrower than this are cut to it in the grid, so that no row is odd. */
const NARROWEST = 0.45;
const WIDEST = 3.2;

/** Return the columns of a list of photos that the server sends as bytes: each column begins at a
 * multiple of eight.
 */
export function readLayout(buffer) {
  const header = new Uint32Array(buffer, 0, 2);
  if (header[0] !== MAGIC) throw new Error("The server's list of photos has another form");
  const count = header[1];
  let start = 8;
  const column = (Kind, length = count) => {
    const values = new Kind(buffer, start, length);
    start = 8 * Math.ceil((start + values.byteLength) / 8);
    return values;
  };
  return {
    count,
    ids: column(Float64Array),
    ratios: column(Uint16Array),
    probabilities: column(Uint16Array),
    minutes: column(Int32Array),
    colors: column(Uint8Array, 3 * count),
  };
}

/** Return columns like those of `readLayout` for photos whose facts are known. */
export function layoutOf(photos) {
  const count = photos.length;
  const columns = {
    count,
    ids: new Float64Array(count),
    ratios: new Uint16Array(count),
    probabilities: new Uint16Array(count),
    minutes: new Int32Array(count),
    colors: new Uint8Array(3 * count),
  };
  photos.forEach((photo, place) => {
    columns.ids[place] = photo.id;
    columns.ratios[place] = Math.min(20000, Math.max(50, (1000 * photo.width) / photo.height));
    columns.probabilities[place] = 65535 * (photo.probability ?? 1);
    columns.minutes[place] = minutesOf(photo.taken_at);
    const color = parseInt((photo.color ?? "#000000").slice(1), 16);
    columns.colors.set([color >> 16, (color >> 8) & 255, color & 255], 3 * place);
  });
  return columns;
}

function minutesOf(takenAt) {
  const parts = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d))?)?)?/.exec(takenAt ?? "");
  if (!parts) return UNDATED;
  const [year, month, day, hour, minute] = parts.slice(1).map((part) => Number(part ?? 0));
  return Date.UTC(year, (month || 1) - 1, day || 1, hour, minute) / 60000;
}

export function isDated(minutes) {
  return minutes !== UNDATED;
}

/** Return the width of a photo in the grid, for a height of 1. `ratio` is in thousandths. */
export function shownRatio(ratio) {
  return Math.min(WIDEST, Math.max(NARROWEST, ratio / 1000));
}

/** Return the rows into which photos are set so that each row fills `width` and is about `height`
 * tall: `starts[r]` is the first photo of row r, `tops[r]` its top, `heights[r]` its height. All
 * are pixels. `starts` and `tops` have one more value, for the end.
 */
export function justify(ratios, count, width, height, gap) {
  const starts = new Uint32Array(count + 1);
  const tops = new Float64Array(count + 1);
  const heights = new Float32Array(count);
  let rows = 0;
  let top = 0;
  let first = 0;
  let sum = 0;
  const end = (next, rowHeight) => {
    starts[rows] = first;
    tops[rows] = top;
    heights[rows] = rowHeight;
    top += rowHeight + gap;
    rows += 1;
    first = next;
    sum = 0;
  };
  for (let place = 0; place < count; place += 1) {
    const ratio = shownRatio(ratios[place]);
    const filled = sum * height + (place - first) * gap;
    const withThis = filled + ratio * height;
    if (withThis >= width) {
      // The row ends before or after this photo, whichever needs to stretch or shrink it less.
      const before = place - first;
      if (before > 0 && width - filled < withThis - width) {
        end(place, (width - (before - 1) * gap) / sum);
        sum = ratio;
        continue;
      }
      sum += ratio;
      end(place + 1, (width - (place - first) * gap) / sum);
      continue;
    }
    sum += ratio;
  }
  if (first < count) {
    const filling = (width - (count - first - 1) * gap) / sum;
    end(count, Math.min(height, filling));
  }
  starts[rows] = count;
  tops[rows] = top;
  return {
    rows,
    height: Math.max(0, top - gap),
    starts: starts.subarray(0, rows + 1),
    tops: tops.subarray(0, rows + 1),
    heights: heights.subarray(0, rows),
  };
}

/** Return the last row that begins at `values[row] <= value`. */
export function rowAt(values, rows, value) {
  let low = 0;
  let high = rows - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The height of the element that is scrolled. Firefox breaks beyond 17.8 million pixels, others
 * beyond 33 million.
 */
const TALLEST = 6e6;
/** At both ends of the list a pixel of scrolling is a pixel of the list, so that neither end can be
 * missed.
 */
const EXACT_ENDS = 1e6;

/** How the place of the scrollbar belongs to the place in the list, both in pixels from the top. */
export class ScrollScale {
  constructor(height, shown) {
    this.end = Math.max(0, height - shown);
    this.shown = shown;
    this.physicalEnd = Math.min(this.end, TALLEST - shown);
    this.isScaled = this.physicalEnd < this.end;
  }

  /** The height to give to the element that is scrolled. */
  get physicalHeight() {
    return this.physicalEnd + this.shown;
  }

  toPhysical(place) {
    if (!this.isScaled || place <= EXACT_ENDS) return place;
    if (place >= this.end - EXACT_ENDS) return this.physicalEnd - (this.end - place);
    const share = (place - EXACT_ENDS) / (this.end - 2 * EXACT_ENDS);
    return EXACT_ENDS + share * (this.physicalEnd - 2 * EXACT_ENDS);
  }

  toPlace(physical) {
    if (!this.isScaled || physical <= EXACT_ENDS) return physical;
    if (physical >= this.physicalEnd - EXACT_ENDS) return this.end - (this.physicalEnd - physical);
    const share = (physical - EXACT_ENDS) / (this.physicalEnd - 2 * EXACT_ENDS);
    return EXACT_ENDS + share * (this.end - 2 * EXACT_ENDS);
  }
}

/** Return the marks of a strip beside a list: the first photo of every year, or of every tenth of
 * the probability, each `{index, label}`. `by` is "date" or "match". Photos need not be in order;
 * a mark is made wherever the value changes.
 */
export function marks(columns, by) {
  const found = [];
  let last = null;
  for (let place = 0; place < columns.count; place += 1) {
    const value = by === "date"
      ? yearOf(columns.minutes[place])
      : `${Math.floor(columns.probabilities[place] / 6553.5001) * 10} %`;
    if (value !== last) found.push({ index: place, label: value });
    last = value;
  }
  return found;
}

let yearKept = 0;
let yearBegins = 1;
let yearEnds = 0;

/** Return the year of minutes since 1970; photos of one year mostly stand together, so the last
 * year's limits are kept.
 */
function yearOf(minutes) {
  if (!isDated(minutes)) return "no date";
  if (minutes < yearBegins || minutes >= yearEnds) {
    yearKept = new Date(minutes * 60000).getUTCFullYear();
    yearBegins = Date.UTC(yearKept, 0) / 60000;
    yearEnds = Date.UTC(yearKept + 1, 0) / 60000;
  }
  return String(yearKept);
}
