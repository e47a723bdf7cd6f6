// @ts-check
// <ss-library>: drop zone, running uploads, and all songs.

import { LitElement, html, nothing } from "lit";
import { API, api } from "./api.js";
import { app } from "./state.js";
import { separationFields } from "./options.js";
import { toast } from "../components/toast.js";
import { formatBytes, formatDays, formatShare, formatTime } from "../lib/format.js";
import { listenWhileConnected } from "../lib/listen.js";
import "../components/progress.js";
import "./unfinished.js";

const SEARCH_MS = 200;
const SORTS = { "-created": "Newest first", created: "Oldest first", title: "Title", artist: "Artist", "-seconds": "Longest first" };
const STATES = { "": "All songs", ready: "Ready", working: "Separating", waiting: "Waiting", failed: "Failed" };
const STAGES = { "": "Starting", read: "Reading", separate: "Separating", pack: "Packing" };

/** @param {any} song @returns {string} the state of its job, for people */
export function jobText(song) {
  const { job } = song;
  if (song.state === "waiting") return job?.position ? `Waiting, number ${job.position} in the queue` : "Waiting";
  if (song.state !== "working" || !job) return "";
  const stage = STAGES[/** @type {keyof typeof STAGES} */ (job.stage)] ?? "Working";
  const left = job.seconds_left === null ? "" : `, ${formatTime(job.seconds_left)} left`;
  return `${stage} ${formatShare(job.share)}${left}`;
}

class Library extends LitElement {
  static properties = {
    trash: { type: Boolean },
    songs: { state: true },
    next: { state: true },
    words: { state: true },
    sort: { state: true },
    filter: { state: true },
    picked: { state: true },
    over: { state: true },
    error: { state: true },
    loaded: { state: true },
    settings: { state: true },
  };

  constructor() {
    super();
    this.trash = false;
    /** @type {any[]} */
    this.songs = [];
    /** @type {string | null} */
    this.next = null;
    this.words = "";
    this.sort = "-created";
    this.filter = "";
    /** @type {Set<string>} */
    this.picked = new Set();
    this.over = false;
    this.error = "";
    this.loaded = false;
    /** @type {import("./options.js").Settings} */
    this.settings = {};
    this.timer = 0;
    this.loads = 0;
    this.storage = { used: 0, limit: 1 };
    listenWhileConnected(this, app.events, { event: ({ detail }) => this.receive(detail), reset: () => this.load() });
    listenWhileConnected(this, app.uploads, { changed: () => this.requestUpdate(), done: ({ detail }) => this.put(detail, true) });
    listenWhileConnected(this, document, { keydown: (event) => this.onKey(event) });
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.load();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== "/" || (event.target instanceof Element && event.target.closest("input, select, textarea"))) return;
    event.preventDefault();
    /** @type {HTMLElement | null} */ (this.querySelector("#search"))?.focus();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("trash") && changed.get("trash") !== undefined) this.load();
  }

  /** @param {string} [cursor] */
  async load(cursor = "") {
    const load = ++this.loads;
    const query = new URLSearchParams({ q: this.words, state: this.filter, sort: this.sort, cursor, trash: String(this.trash) });
    try {
      const page = await api.get(`/songs?${query}`);
      if (load !== this.loads) return;
      this.songs = cursor ? [...this.songs, ...page.songs] : page.songs;
      [this.next, this.storage, this.error] = [page.next, page.storage, ""];
    } catch (error) {
      this.error = String(/** @type {any} */ (error).message);
    }
    this.loaded = true;
  }

  /** @param {{kind: string, body: any}} event */
  receive({ kind, body }) {
    if (kind === "song") this.put(body, false);
    else if (kind === "song.gone") this.songs = this.songs.filter(({ id }) => id !== body.id);
    else if (kind === "quota") this.storage = body;
    else if (kind === "job" && body.kind === "separate") {
      this.songs = this.songs.map((song) => (song.id === body.song_id ? { ...song, job: body } : song));
    }
    this.requestUpdate();
  }

  /** @param {any} song @param {boolean} added */
  put(song, added) {
    const listed = this.songs.some(({ id }) => id === song.id);
    const shown = Boolean(song.deleted) === this.trash;
    if (listed) this.songs = this.songs.map((one) => (one.id === song.id ? song : one)).filter(() => shown || true);
    else if (added && shown) this.songs = [song, ...this.songs];
    if (!shown) this.songs = this.songs.filter(({ id }) => id !== song.id);
  }

  /** @param {string} words */
  search(words) {
    this.words = words;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), SEARCH_MS);
  }

  // uploads

  /** @param {FileList | null | undefined} files */
  upload(files) {
    const { max_upload_bytes: most } = app.server;
    for (const file of files ?? []) {
      if (file.size > most) toast(`${file.name} has ${formatBytes(file.size)}; this server takes ${formatBytes(most)}.`, { bad: true });
      else if (file.size === 0) toast(`${file.name} is empty.`, { bad: true });
      else app.uploads.add([file], this.settings);
    }
  }

  /** @param {DragEvent} event */
  drop(event) {
    event.preventDefault();
    this.over = false;
    this.upload(event.dataTransfer?.files);
  }

  options() {
    return html`<details>
      <summary>Options <span class="icon small icon-chevron-down" aria-hidden="true"></span></summary>
      <div class="stack">${separationFields(this.settings, (settings) => (this.settings = settings), "upload")}</div>
    </details>`;
  }

  dropZone() {
    const { max_song_seconds: longest, max_upload_bytes: most } = app.server;
    return html`<div
      class="drop ${this.over ? "over" : ""}"
      @dragover=${(/** @type {DragEvent} */ event) => {
        event.preventDefault();
        this.over = true;
      }}
      @dragleave=${() => (this.over = false)}
      @drop=${this.drop}
    >
      <span class="icon large icon-upload" aria-hidden="true"></span>
      <div><b>Drop songs here</b></div>
      <label class="button primary">
        Choose files
        <input
          class="visually-hidden"
          id="files"
          type="file"
          multiple
          accept="audio/*,video/mp4,.flac,.wav,.mp3,.ogg,.opus,.m4a,.aac,.aiff,.aif,.wma,.mp4"
          @change=${(/** @type {Event} */ event) => {
            const input = /** @type {HTMLInputElement} */ (event.target);
            this.upload(input.files);
            input.value = "";
          }}
        />
      </label>
      <p class="quiet small">Up to ${formatTime(longest)} and ${formatBytes(most)} each.</p>
      ${this.options()}
    </div>`;
  }

  /** @param {import("./uploads.js").Upload} upload */
  queueItem(upload) {
    const { file, sent, state, speed, error } = upload;
    const words =
      error ||
      (state === "queued"
        ? "Waiting"
        : state === "paused"
          ? `Paused at ${formatShare(sent / file.size)}`
          : `${formatBytes(sent)} of ${formatBytes(file.size)}${speed ? `, ${formatBytes(speed)}/s` : ""}`);
    return html`<li class="queue-item">
      <div class="truncate"><b>${file.name}</b></div>
      <div class="row">
        ${state === "failed" || state === "paused"
          ? this.iconButton(`Resume ${file.name}`, "play", () => app.uploads.resume(upload))
          : this.iconButton(`Pause ${file.name}`, "pause", () => app.uploads.pause(upload))}
        ${this.iconButton(`Cancel ${file.name}`, "x", () => app.uploads.cancel(upload))}
      </div>
      <div class="small ${state === "failed" ? "error-text" : "quiet"}">${words}</div>
      <ss-progress .share=${sent / Math.max(file.size, 1)} .label="Upload of ${file.name}"></ss-progress>
    </li>`;
  }

  /** @param {string} label @param {string} icon @param {() => void} act */
  iconButton(label, icon, act) {
    return html`<button class="button plain icon-only" aria-label=${label} title=${label} @click=${act}>
      <span class="icon icon-${icon}" aria-hidden="true"></span>
    </button>`;
  }

  // songs

  /** @param {string[]} ids */
  async discard(ids) {
    const forever = this.trash;
    const gone = this.songs.filter(({ id }) => ids.includes(id));
    this.songs = this.songs.filter(({ id }) => !ids.includes(id));
    this.picked = new Set();
    try {
      for (const id of ids) await api.delete(`/songs/${id}${forever ? "?forever=true" : ""}`);
      const words = gone.length === 1 ? gone[0].title : `${gone.length} songs`;
      if (forever) toast(`${words}: deleted for ever.`);
      else toast(`${words}: in the trash for ${formatDays(app.server.trash_days)}.`, { action: "Undo", act: () => this.restore(ids) });
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
    }
    this.load();
  }

  /** @param {string[]} ids */
  async restore(ids) {
    try {
      for (const id of ids) await api.patch(`/songs/${id}`, { deleted: false });
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
    }
    this.picked = new Set();
    this.load();
  }

  /** @param {any} song */
  async retry(song) {
    try {
      if (song.job) await api.post(`/jobs/${song.job.id}/retry`);
      else await api.post(`/songs/${song.id}/jobs`, {});
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
    }
  }

  /** @param {any} song */
  async cancel(song) {
    await api.post(`/jobs/${song.job.id}/cancel`).catch((error) => toast(error.message, { bad: true }));
  }

  /** @param {any} song */
  async moveFirst(song) {
    await api.post(`/jobs/${song.job.id}/move`, { to: 1 }).catch((error) => toast(error.message, { bad: true }));
  }

  /** @param {any} song */
  badge(song) {
    if (song.state === "ready") return html`<span class="badge good"><span class="icon small icon-check" aria-hidden="true"></span>Ready</span>`;
    if (song.state === "failed") return html`<span class="badge bad">Failed</span>`;
    if (song.state === "cancelled") return html`<span class="badge">Cancelled</span>`;
    return html`<span class="badge busy">${song.state === "working" ? formatShare(song.job?.share ?? 0) : "Waiting"}</span>`;
  }

  /** @param {any} song */
  actions(song) {
    if (this.trash) {
      return html`<div class="row">
        ${this.iconButton(`Restore ${song.title} from the trash`, "undo-2", () => this.restore([song.id]))}
        ${this.iconButton(`Delete ${song.title} for ever`, "trash-2", () => this.discard([song.id]))}
      </div>`;
    }
    const active = song.state === "waiting" || song.state === "working";
    const behind = song.state === "waiting" && song.job?.position > 1;
    return html`<div class="row">
      ${behind ? this.iconButton(`Separate ${song.title} next`, "arrow-up", () => this.moveFirst(song)) : nothing}
      ${active && song.job
        ? this.iconButton(`Cancel ${song.title}`, "x", () => this.cancel(song))
        : song.state === "ready"
          ? nothing
          : this.iconButton(`Try ${song.title} again`, "rotate-ccw", () => this.retry(song))}
      ${active ? nothing : this.iconButton(`Delete ${song.title}`, "trash-2", () => this.discard([song.id]))}
    </div>`;
  }

  /** @param {any} song */
  row(song) {
    const pick = (/** @type {Event} */ event) => {
      const picked = new Set(this.picked);
      if (/** @type {HTMLInputElement} */ (event.target).checked) picked.add(song.id);
      else picked.delete(song.id);
      this.picked = picked;
    };
    const line = song.error && song.state === "failed" ? song.error : jobText(song) || [song.artist, song.album].filter(Boolean).join(" – ") || song.file_name;
    return html`<li class="song-row">
      <input class="pick" type="checkbox" aria-label="Pick ${song.title}" .checked=${this.picked.has(song.id)} @change=${pick} />
      ${song.cover
        ? html`<img class="cover" src="${API}/songs/${song.id}/cover" alt="" loading="lazy" />`
        : html`<span class="cover"><span class="icon icon-music" aria-hidden="true"></span></span>`}
      <a class="title" href="/songs/${song.id}">
        <b class="truncate">${song.title}</b>
        <span class="small truncate ${song.state === "failed" ? "error-text" : "quiet"}">${line}</span>
      </a>
      <span class="length">${song.seconds ? formatTime(song.seconds) : ""}</span>
      ${this.badge(song)} ${this.actions(song)}
    </li>`;
  }

  toolbar() {
    const change = (/** @type {"sort" | "filter"} */ what) => (/** @type {Event} */ event) => {
      this[what] = /** @type {HTMLSelectElement} */ (event.target).value;
      this.load();
    };
    return html`<div class="toolbar">
      <div class="search">
        <span class="icon icon-search" aria-hidden="true"></span>
        <input
          class="input"
          id="search"
          type="search"
          placeholder="Search title, artist, album"
          aria-label="Search"
          .value=${this.words}
          @input=${(/** @type {Event} */ event) => this.search(/** @type {HTMLInputElement} */ (event.target).value)}
        />
      </div>
      <select class="input" aria-label="Show" @change=${change("filter")}>
        ${Object.entries(STATES).map(([value, label]) => html`<option value=${value} ?selected=${value === this.filter}>${label}</option>`)}
      </select>
      <select class="input" aria-label="Order" @change=${change("sort")}>
        ${Object.entries(SORTS).map(([value, label]) => html`<option value=${value} ?selected=${value === this.sort}>${label}</option>`)}
      </select>
      ${this.picked.size
        ? html`<button class="button danger" @click=${() => this.discard([...this.picked])}>
            <span class="icon icon-trash-2" aria-hidden="true"></span>Delete ${this.picked.size}
          </button>`
        : nothing}
    </div>`;
  }

  list() {
    if (this.error) return html`<p class="error-text" role="alert">${this.error}</p>`;
    if (!this.loaded) return html`<p class="empty">Loading …</p>`;
    if (this.songs.length) {
      return html`<ul class="songs" aria-label="Songs">${this.songs.map((song) => this.row(song))}</ul>
        ${this.next ? html`<button class="button" @click=${() => this.load(this.next ?? "")}>More songs</button>` : nothing}`;
    }
    if (this.words || this.filter) {
      return html`<div class="songs empty stack">
        <p>Nothing fits${this.words ? ` “${this.words}”` : ""}.</p>
        <div>
          <button class="button" @click=${() => {
            [this.words, this.filter] = ["", ""];
            this.load();
          }}>Clear search</button>
        </div>
      </div>`;
    }
    if (this.trash) return html`<p class="songs empty">The trash is empty.</p>`;
    return html`<p class="songs empty">No songs yet. Drop some above${app.server.demo ? html`, or <a href="/">try the demo song</a>` : nothing}.</p>`;
  }

  render() {
    const { used, limit } = this.storage;
    const uploads = app.uploads.list;
    return html`<div class="page">
      <div class="row between title-row">
        <h1>${this.trash ? "Trash" : "Library"}</h1>
        <a class="button plain" href=${this.trash ? "/library" : "/trash"}>
          <span class="icon icon-${this.trash ? "arrow-left" : "trash-2"}" aria-hidden="true"></span>${this.trash ? "Library" : "Trash"}
        </a>
      </div>
      ${this.trash ? html`<p class="quiet">Songs here are deleted for ever after ${formatDays(app.server.trash_days)}.</p>` : this.dropZone()}
      ${uploads.length ? html`<ul class="queue" aria-label="Uploads">${uploads.map((one) => this.queueItem(one))}</ul>` : nothing}
      ${this.trash ? nothing : html`<ss-unfinished></ss-unfinished>`}
      ${this.toolbar()} ${this.list()}
      <div class="storage">
        <span>${formatBytes(used)} of ${formatBytes(limit)} used</span>
        <ss-progress .share=${used / limit} label="Storage used"></ss-progress>
      </div>
    </div>`;
  }
}

customElements.define("ss-library", Library);
