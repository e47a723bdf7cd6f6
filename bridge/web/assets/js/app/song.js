// @ts-check
// <ss-song>: one song: player, downloads, share, delete; the same for a share link, with less.

import { LitElement, html, nothing } from "lit";
import { API, api } from "./api.js";
import { app } from "./state.js";
import { copy } from "./auth.js";
import { jobText } from "./library.js";
import { separationFields } from "./options.js";
import { toast } from "../components/toast.js";
import { closeSheet, openSheet, sheet } from "../components/sheet.js";
import { formatDays, formatName } from "../lib/format.js";
import { listenWhileConnected } from "../lib/listen.js";
import "../components/progress.js";
import "../player/view.js";

const POLL_MS = 700;
const SHARED_POLL_SECONDS = 5; // events are only for a song's owner
const KEYS = [
  ["Space", "play, pause"],
  [", .", "5 s back, on"],
  ["< >", "30 s back, on"],
  ["[ ]", "loop from, to here"],
  ["l", "loop on, off"],
  ["← →", "choose a stem"],
  ["↑ ↓", "1 dB louder, softer"],
  ["0", "0 dB"],
  ["m s", "mute, solo"],
  ["1 – 6", "mute by number"],
  ["− +", "slower, faster"],
  ["d u", "a semitone down, up"],
  ["k", "karaoke: vocals off, on"],
  ["?", "these keys"],
];

class SongPage extends LitElement {
  static properties = {
    songId: {},
    shared: { type: Boolean },
    song: { state: true },
    error: { state: true },
    ready: { state: true },
    format: { state: true },
    shares: { state: true },
    link: { state: true },
    mixing: { state: true },
    region: { state: true },
    mayDownload: { state: true },
    again: { state: true },
  };

  constructor() {
    super();
    this.songId = "";
    this.shared = false;
    /** @type {any} */
    this.song = null;
    this.error = "";
    this.ready = 0;
    this.format = "flac";
    /** @type {any[]} */
    this.shares = [];
    this.link = "";
    this.mixing = "";
    this.region = false;
    this.mayDownload = false;
    /** @type {import("./options.js").Settings} of the next separation */
    this.again = {};
    this.key = "";
    this.timer = 0;
    listenWhileConnected(this, app.events, { event: ({ detail }) => this.receive(detail), reset: () => this.load() });
    listenWhileConnected(this, document, { keydown: (event) => this.onKey(event) });
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    if (this.shared) this.key = new URLSearchParams(location.hash.slice(1)).get("k") ?? "";
    this.load();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "?" && !(event.target instanceof Element && event.target.closest("input"))) openSheet("keys");
  }

  get path() {
    return this.shared ? `/shares/${this.key}` : `/songs/${this.songId}`;
  }

  async load() {
    clearTimeout(this.timer);
    let wait = SHARED_POLL_SECONDS;
    try {
      this.song = await api.get(this.path);
      this.ready = this.song.state === "ready" ? this.song.frames : Math.max(this.ready, this.song.job?.frames_ready ?? 0);
      this.error = "";
    } catch (error) {
      const { status, message, retry } = /** @type {import("./api.js").ApiError} */ (error);
      if (status === 404 || !this.song) this.error = this.shared && status === 404 ? "This link has expired or was revoked." : message;
      wait = Math.max(wait, retry);
    }
    const { model } = this.song ?? {};
    if (model && app.server.models.some((/** @type {any} */ one) => one.name === model)) this.again = { model };
    if (this.song?.state === "ready") this.mayDownload = !this.shared || (await this.probeDownload());
    if (this.song) document.title = `${this.song.title} – stream_sep`;
    this.poll(wait);
  }

  /** Loads a shared song again until it is separated. @param {number} wait seconds */
  poll(wait) {
    const active = this.song?.state === "waiting" || this.song?.state === "working";
    if (this.shared && this.isConnected && active && !this.error) this.timer = setTimeout(() => this.load(), 1000 * wait);
  }

  /** @returns {Promise<boolean>} whether a share link lets its holder download */
  async probeDownload() {
    const first = `${API}${this.path}/stems/${this.song.stems[0]}.flac`;
    const response = await fetch(first, { headers: { Range: "bytes=0-0" } }).catch(() => null);
    return response?.ok ?? false;
  }

  /** @param {{kind: string, body: any}} event */
  receive({ kind, body }) {
    if (this.shared || !this.song) return;
    if (kind === "song" && body.id === this.song.id) {
      this.song = body;
      if (body.state === "ready") [this.ready, this.mayDownload] = [body.frames, true];
    } else if (kind === "song.ready" && body.id === this.song.id) {
      if (!this.song.frames) this.load();
      this.ready = body.frames;
    } else if (kind === "job" && body.song_id === this.song.id && body.kind === "separate") {
      this.song = { ...this.song, job: body };
    } else if (kind === "song.gone" && body.id === this.song.id) app.go("/library");
  }

  // actions

  /** @param {() => Promise<any>} act @returns {Promise<any>} */
  async attempt(act) {
    try {
      return await act();
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
      return null;
    }
  }

  async discard() {
    const { id, title } = this.song;
    await this.attempt(() => api.delete(`/songs/${id}`));
    app.go("/library");
    toast(`${title}: in the trash for ${formatDays(app.server.trash_days)}.`, {
      action: "Undo",
      act: async () => {
        await this.attempt(() => api.patch(`/songs/${id}`, { deleted: false }));
        app.go(`/songs/${id}`);
      },
    });
  }

  /** @param {SubmitEvent} event */
  async rename(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    const changed = await this.attempt(() => api.patch(this.path, values, { "If-Match": this.song.etag }));
    if (changed) this.song = changed;
    else await this.load();
    closeSheet("rename");
  }

  /** @param {SubmitEvent} event */
  async separateAgain(event) {
    event.preventDefault();
    closeSheet("again");
    await this.attempt(() => api.post(`${this.path}/jobs`, this.again));
    await this.load();
  }

  retry() {
    return this.attempt(() => api.post(`/jobs/${this.song.job.id}/retry`)).then(() => this.load());
  }

  /** @returns {import("../player/view.js").PlayerView | null} */
  get player() {
    return this.querySelector("ss-player");
  }

  async downloadMix() {
    const { player } = this;
    if (!player) return;
    const { master, ...strips } = player.strips;
    const body = {
      strips: Object.fromEntries(
        Object.entries(strips).map(([stem, { db, mute, solo, pan }]) => [stem, { gain_db: db, mute, solo, pan }]),
      ),
      master_db: master ? (master.mute ? -90 : master.db) : 0,
      format: this.format,
      ...(this.region && player.loop ? { first_frame: player.loop.start, end_frame: player.loop.end } : {}),
    };
    this.mixing = "Rendering the mix …";
    try {
      let job = await api.post(`${this.path}/mixes`, body);
      while (job.state === "queued" || job.state === "running") {
        await new Promise((done) => setTimeout(done, POLL_MS));
        job = await api.get(`/jobs/${job.id}`);
        this.mixing = job.position ? `Waiting, number ${job.position} in the queue` : "Rendering the mix …";
      }
      if (job.state !== "done") throw new Error(job.error || "The mix was cancelled.");
      this.fetchFile(job.download);
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
    }
    this.mixing = "";
  }

  /** @param {string} path */
  fetchFile(path) {
    const link = document.createElement("a");
    link.href = path;
    link.download = "";
    document.body.append(link);
    link.click();
    link.remove();
  }

  async openShares() {
    this.link = "";
    this.shares = (await this.attempt(() => api.get(`${this.path}/shares`))) ?? [];
    openSheet("share");
  }

  /** @param {SubmitEvent} event */
  async share(event) {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const body = { days: Number(values.get("days")), download: values.get("download") === "on" };
    const share = await this.attempt(() => api.post(`${this.path}/shares`, body));
    if (!share) return;
    this.link = new URL(share.path, location.origin).href;
    this.shares = [...this.shares, share];
  }

  /** @param {any} share */
  async unshare(share) {
    await this.attempt(() => api.delete(`${this.path}/shares/${share.id}`));
    this.shares = this.shares.filter((one) => one !== share);
  }

  // sheets

  downloads() {
    const { song } = this;
    const base = API + this.path;
    const formats = app.server.formats.filter((/** @type {string} */ one) => one !== "stem.mp4");
    const body = html`<div class="field">
        <label for="format">Format</label>
        <select class="input" id="format" @change=${(/** @type {Event} */ event) => (this.format = /** @type {HTMLSelectElement} */ (event.target).value)}>
          ${formats.map((/** @type {string} */ one) => html`<option value=${one} ?selected=${one === this.format}>${one.toUpperCase()}</option>`)}
        </select>
      </div>
      ${this.shared
        ? nothing
        : html`<button class="button primary" ?disabled=${this.mixing !== ""} @click=${this.downloadMix}>
              <span class="icon icon-sliders-horizontal" aria-hidden="true"></span>${this.mixing || "The mix as you hear it"}
            </button>
            <label class="switch" ?hidden=${!this.player?.loop}>
              <input type="checkbox" role="switch" .checked=${this.region} @change=${() => (this.region = !this.region)} />
              <span>Only the loop</span>
            </label>`}
      <div class="list">
        ${song.stems.map(
          (/** @type {string} */ stem) => html`<a class="button" download href="${base}/stems/${stem}.${this.format}">
            <span class="icon icon-download" aria-hidden="true"></span>${formatName(stem)}
          </a>`,
        )}
      </div>
      <a class="button" download href="${base}/all.zip?format=${this.format}">
        <span class="icon icon-download" aria-hidden="true"></span>All stems, as a zip
      </a>
      ${app.server.formats.includes("stem.mp4")
        ? html`<a class="button" download href="${base}/stems.stem.mp4">
            <span class="icon icon-download" aria-hidden="true"></span>Stem file for DJ software
          </a>`
        : nothing}`;
    return sheet({ id: "downloads", title: "Download", body: html`<div class="stack downloads">${body}</div>` });
  }

  shareSheet() {
    const body = html`<form class="stack" @submit=${this.share}>
        <div class="field">
          <label for="days">The link expires after</label>
          <select class="input" id="days" name="days">
            ${[1, 7, 30, 90].map((days) => html`<option value=${days} ?selected=${days === 30}>${formatDays(days)}</option>`)}
          </select>
        </div>
        <label class="switch"><input type="checkbox" role="switch" name="download" /><span>Let them download, too</span></label>
        <button class="button primary">Make a link</button>
      </form>
      ${this.link
        ? html`<div class="stack tight">
            <p>Anybody with this link can listen. It is shown once.</p>
            <div class="secret" id="share-link">${this.link}</div>
            <button class="button" @click=${() => copy(this.link)}><span class="icon icon-copy" aria-hidden="true"></span>Copy</button>
          </div>`
        : nothing}
      ${this.shares.length
        ? html`<section>
            <h3>Links</h3>
            <ul class="list">
              ${this.shares.map(
                (share) => html`<li class="list-row">
                  <span class="grow">${share.download ? "Listen and download" : "Listen"}<br /><span class="quiet small">until ${dateText(share.expires)}, opened ${share.visits === 1 ? "once" : `${share.visits} times`}</span></span>
                  <button class="button danger" @click=${() => this.unshare(share)}>Revoke</button>
                </li>`,
              )}
            </ul>
          </section>`
        : nothing}`;
    return sheet({ id: "share", title: "Share", body });
  }

  renameSheet() {
    const { song } = this;
    const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {boolean} */ required) => html`<div class="field">
      <label for="edit-${name}">${label}</label>
      <input class="input" id="edit-${name}" name=${name} maxlength="200" ?required=${required} .value=${song[name]} />
    </div>`;
    const body = html`<form class="stack" @submit=${this.rename}>
      ${field("title", "Title", true)} ${field("artist", "Artist", false)} ${field("album", "Album", false)}
      <button class="button primary">Save</button>
    </form>`;
    return sheet({ id: "rename", title: "Edit", body });
  }

  againSheet() {
    const body = html`<form class="stack" @submit=${this.separateAgain}>
      ${separationFields(this.again, (again) => (this.again = again), "again")}
      <p class="quiet small">The current stems stay until the new ones are complete.</p>
      <button class="button primary">Separate again</button>
    </form>`;
    return sheet({ id: "again", title: "Separate again", body });
  }

  keysSheet() {
    const body = html`<dl class="key-table">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>`;
    return sheet({ id: "keys", title: "Keys", body });
  }

  // the page

  head() {
    const { song } = this;
    const src = `${API}${this.path}/cover`;
    const button = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ act) => html`<button class="button" @click=${act}>
      <span class="icon icon-${icon}" aria-hidden="true"></span>${label}
    </button>`;
    return html`<div class="song-head">
      ${song.cover
        ? html`<img class="cover large" src=${src} alt="" />`
        : html`<span class="cover large"><span class="icon large icon-music" aria-hidden="true"></span></span>`}
      <div class="names">
        <h1>${song.title}</h1>
        <p class="quiet">${[song.artist, song.album].filter(Boolean).join(" – ") || song.file_name}</p>
      </div>
      <div class="row wrap">
        ${song.state === "ready" && this.mayDownload ? button("download", "Download", () => openSheet("downloads")) : nothing}
        ${this.shared
          ? nothing
          : html`${button("share-2", "Share", () => this.openShares())}
              ${button("ellipsis", "More", () => openSheet("more"))}`}
      </div>
    </div>`;
  }

  moreSheet() {
    const item = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ act, danger = false) => html`<button
      class="button ${danger ? "danger" : ""}"
      @click=${() => {
        closeSheet("more");
        act();
      }}
    >
      <span class="icon icon-${icon}" aria-hidden="true"></span>${label}
    </button>`;
    const body = html`${item("settings", "Edit title, artist, album", () => openSheet("rename"))}
      ${item("rotate-ccw", "Separate again", () => openSheet("again"))} ${item("circle-help", "Keys", () => openSheet("keys"))}
      ${item("trash-2", "Delete", () => this.discard(), true)}`;
    return sheet({ id: "more", title: "More", body });
  }

  progress() {
    const { song } = this;
    if (song.state === "failed" || song.state === "cancelled") {
      return html`<div class="card stack" role="alert">
        <p>${song.state === "failed" ? song.error || "The song could not be separated." : "The separation was cancelled."}</p>
        ${this.shared
          ? nothing
          : html`<div class="row wrap">
              <button class="button primary" @click=${this.retry}>Try again</button>
              <button class="button" @click=${() => openSheet("again")}>Use another model</button>
            </div>`}
      </div>`;
    }
    if (song.state === "ready") return nothing;
    return html`<div class="stack tight">
      <p class="quiet" role="status">${jobText(song)}</p>
      <ss-progress .share=${song.job?.share ?? 0} label="Separation"></ss-progress>
    </div>`;
  }

  render() {
    if (this.error) {
      return html`<div class="page narrow stack"><h1>${this.error}</h1><a href="/">To the start</a></div>`;
    }
    if (!this.song) return html`<div class="spinner">Loading …</div>`;
    const { song } = this;
    const playable = song.stems.length > 0 && song.frames > 0 && (song.state === "ready" || this.ready > 0);
    return html`<div class="page stack">
        ${this.head()} ${this.progress()}
        ${playable
          ? html`<ss-player base=${API + this.path} .song=${song} .ready=${this.ready}></ss-player>`
          : nothing}
      </div>
      ${this.downloads()} ${this.keysSheet()}
      ${this.shared ? nothing : html`${this.shareSheet()} ${this.renameSheet()} ${this.againSheet()} ${this.moreSheet()}`}`;
  }
}

/** @param {string | null} iso @returns {string} */
export function dateText(iso) {
  return iso ? new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" }) : "never";
}

customElements.define("ss-song", SongPage);
