// The view of the library: its folders, an indexing run and how far it is, what could not be read,
// and the checkpoint.

import { button, make } from "./elements.js";
import { confirmed, chosenDirectory } from "./dialogs.js";
import { counted, duration, happenedAt, inFigures, sentence, size } from "./words.js";

const LISTED = 200;

export function mount(element, app) {
  return new LibraryView(element, app);
}

class LibraryView {
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.folders = make("ul", { class: "folders" });
    this.add = button("Add a folder", () => this.addFolder(), { class: "primary" });
    this.index = button("Index now", () => this.startIndexing());
    this.stop = button("Stop", () => this.stopIndexing(), { hidden: true });
    this.run = make("section", { class: "run", hidden: true, "aria-label": "Indexing" });
    this.phase = make("p", { class: "run-phase" });
    this.progress = make("progress", { "aria-label": "Progress" });
    this.figures = make("p", { class: "run-figures" });
    this.said = make("p", { class: "legend" });
    this.run.append(this.phase, this.progress, this.figures, this.said);
    this.counts = make("p", { class: "lead" });
    this.facts = make("dl", { class: "facts" });
    this.failures = problems("Files that could not be read");
    this.skipped = problems("Files that were passed over");
    const tools = make("div", { class: "view-tools" });
    if (app.canAdd) tools.append(this.add);
    if (!app.readOnly) tools.append(this.index, this.stop);
    if (app.status?.needs_token) tools.append(button("Sign out", () => this.signOut()));
    element.append(make("div", { class: "page-column" },
      make("header", { class: "view-head" }, make("h1", { tabindex: "-1", text: "Library" }), tools),
      this.counts, this.run,
      app.canAdd ? null : make("p", { class: "legend", text: reasonNotToAdd(app) }),
      make("h2", { text: "Folders" }), this.folders,
      this.failures.element, this.skipped.element,
      make("h2", { text: "How it searches" }), this.facts));
    app.onEvent("progress", (progress) => this.advanced(progress));
    app.onEvent("said", ({ text }) => { this.said.textContent = sentence(text); });
    app.onEvent("finished", (report) => this.finished(report));
  }

  show() {
    this.element.hidden = false;
    document.title = "Library · sigseek";
    this.load();
  }

  hide() {
    this.element.hidden = true;
  }

  refresh() {
    this.load();
  }

  async load() {
    await this.app.attempt(async () => {
      const [status, { failures }, { skipped }, run] = await Promise.all([
        this.app.refreshStatus(),
        this.app.api.ask("failures"),
        this.app.api.ask("skipped"),
        this.app.api.ask("index"),
      ]);
      this.showStatus(status);
      this.showFolders(status.folders);
      this.failures.show(failures);
      this.skipped.show(skipped);
      this.showRun(run);
    });
  }

  showStatus(status) {
    this.counts.textContent = status.photos
      ? `${counted(status.photos, "photo")} in ${counted(status.files, "file")}`
      : "No photos yet. Add a folder to begin: its photos are only read, never changed.";
    const pairs = statusFacts(status);
    this.facts.replaceChildren(...pairs.flatMap(([name, value]) => [
      make("dt", { text: name }), make("dd", { text: value }),
    ]));
  }

  showFolders(folders) {
    if (!folders.length) {
      this.folders.replaceChildren(make("li", { class: "legend", text: "None yet." }));
      return;
    }
    this.folders.replaceChildren(...folders.map((folder) => this.folder(folder)));
  }

  folder(folder) {
    const { path, online } = folder;
    const name = path.split(/[\\/]/).filter(Boolean).pop() ?? path;
    const details = [
      counted(folder.files, "file"),
      online ? null : "missing or empty now, as when its drive is away; its photos are kept",
      folder.missing ? `${inFigures(folder.missing)} missing` : null,
      folder.indexed_at ? `indexed ${happenedAt(folder.indexed_at)}` : "not indexed yet",
    ].filter(Boolean).join(" · ");
    return make("li", { class: online ? "folder" : "folder offline" },
      make("div", {},
        make("strong", { text: name }),
        make("span", { class: "path", text: path }),
        make("span", { class: "details", text: details })),
      make("div", { class: "view-tools" },
        button("Show photos", () => this.app.search(`in:"${escapedPath(path)}"`), {
          "aria-label": `Show the photos of ${name}` }),
        this.app.readOnly ? null : button("Forget…", () => this.forget(path, name), {
          class: "quiet", "aria-label": `Forget ${name}` })));
  }

  async addFolder() {
    await this.app.attempt(async () => {
      const path = await chosenDirectory(this.app);
      if (!path) return;
      await this.app.api.ask("folders", { json: { path } });
      await this.startIndexing([path]);
    });
  }

  async forget(path, name) {
    const isSure = await confirmed(
      `Forget ${name}?`,
      "Its photos leave the library, and their tags with them. Your files stay as they are.",
      "Forget",
    );
    if (!isSure) return;
    await this.app.attempt(async () => {
      await this.app.api.ask("folders", { method: "DELETE", query: { path, confirm: "true" } });
      this.app.toast(`${name} was forgotten`);
      this.app.changed();
    });
  }

  async startIndexing(folders) {
    await this.app.attempt(async () => {
      const chosen = Array.isArray(folders) ? { folders } : {};
      await this.app.api.ask("index", { json: chosen });
      this.said.textContent = "";
      this.showRun({ running: true });
      this.app.announce("Indexing has begun");
      this.app.listenToEvents();
    });
  }

  async stopIndexing() {
    this.stop.disabled = true;
    await this.app.attempt(() => this.app.api.ask("index", { method: "DELETE" }));
  }

  async signOut() {
    await this.app.attempt(async () => {
      await this.app.api.ask("logout", { method: "POST" });
      location.assign("/login");
    });
  }

  showRun(run) {
    const isRunning = Boolean(run?.running);
    this.stop.hidden = !isRunning;
    this.stop.disabled = false;
    this.index.disabled = isRunning;
    this.add.disabled = isRunning;
    if (isRunning) {
      this.run.hidden = false;
      this.progress.hidden = false;
      if (!this.phase.textContent || !this.isRunning) this.phase.textContent = "Beginning";
      if (run.progress) this.advanced(run.progress);
    }
    this.isRunning = isRunning;
  }

  advanced(progress) {
    if (!this.isRunning) this.showRun({ running: true });
    const { phase, done, total, rate, seconds_left: left, embedded, failed } = progress;
    this.phase.textContent = capital(phase);
    if (total) {
      this.progress.max = total;
      this.progress.value = done;
    } else this.progress.removeAttribute("value");
    this.figures.textContent = [
      total ? `${inFigures(done)} of ${inFigures(total)}` : done ? inFigures(done) : null,
      rate ? `${rate < 10 ? rate.toFixed(1) : inFigures(Math.round(rate))} a second` : null,
      left && total ? `about ${duration(left)} left` : null,
      embedded ? `${counted(embedded, "new photo")}` : null,
      failed ? `${counted(failed, "file")} could not be read` : null,
    ].filter(Boolean).join(" · ");
  }

  finished(report) {
    this.showRun({ running: false });
    this.phase.textContent = report.error ?? report.headline ?? "Indexing has ended";
    this.progress.hidden = true;
    this.figures.textContent = report.text ?? "";
    this.app.announce(`${this.phase.textContent}. ${this.figures.textContent}`);
    this.app.changed();
  }
}

/** Return why folders cannot be added on this page. */
function reasonNotToAdd(app) {
  return app.readOnly
    ? "The server was started with --read-only, so nothing can be changed here."
    : "Folders can be added here if the server was started with --browse DIR (and with --show-paths, "
      + "for other machines). They can always be added by the command: sigseek index FOLDER";
}

/** Return a list of files with reasons that opens when asked for. */
function problems(title) {
  const summary = make("summary");
  const rows = make("ul", { class: "problems" });
  const element = make("details", { hidden: true }, summary, rows);
  return {
    element,
    show(files) {
      element.hidden = !files.length;
      summary.textContent = `${title}: ${inFigures(files.length)}`;
      const shown = files.slice(0, LISTED).map(({ path, reason }) => make("li", {},
        make("span", { class: "path", text: path }),
        make("span", { class: "details", text: reason })));
      const rest = files.length - shown.length;
      if (rest) shown.push(make("li", { class: "legend", text: `and ${counted(rest, "more file")}` }));
      rows.replaceChildren(...shown);
    },
  };
}

/** Return what the status tells of how searches are made, as pairs of name and text. */
function statusFacts(status) {
  const checkpoints = status.checkpoints.map((one) => [
    one.searched ? "Checkpoint in use" : "Other checkpoint",
    [
      one.model,
      `${inFigures(one.embeddings)} of ${counted(status.photos, "photo")} embedded`,
      one.reference_captions
        ? `judged by ${counted(one.reference_captions, "reference caption")}` : "not measured yet",
    ].join(" · "),
  ]);
  return [
    ...checkpoints,
    ["On disk", `${size(status.catalog_bytes)} catalog, ${size(status.index_bytes)} index`],
    ["Thumbnails", `${size(status.thumbnails_bytes)} of at most `
      + `${size(status.thumbnails_max_bytes)}, for all libraries`],
    ["Version", status.version],
  ];
}

function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

function escapedPath(path) {
  return path.replace(/["\\]/g, "\\$&");
}
