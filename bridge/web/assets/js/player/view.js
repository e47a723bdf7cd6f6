// @ts-check
// <ss-player>: lanes, strips and transport of one song.

import { LitElement, html, nothing } from "lit";
import { formatTenths, formatTime } from "../lib/format.js";
import { viewBlobs } from "./pieces.js";
import { openStage } from "./stage.js";
import { SpectrogramTiles, colourParts, drawWave } from "./waves.js";
import { onPlayerKey } from "./keys.js";
import { followLockScreen } from "./lock_screen.js";
import { makeLoopHandle } from "./handles.js";
import { canStretch } from "./stretcher.js";
import { listenWhileConnected } from "../lib/listen.js";
import { stemIcon } from "../components/strip.js";
import "../components/strip.js";

/** @typedef {import("../components/strip.js").StripState} StripState */

const MAX_ZOOM = 64;
const MIN_REFRESH_MS = 1000;

export class PlayerView extends LitElement {
  static properties = {
    base: {},
    song: { attribute: false },
    ready: { type: Number },
    picture: { state: true },
    zoom: { state: true },
    chosen: { state: true },
    frame: { state: true },
    note: { state: true },
    speed: { state: true },
    pitch: { state: true },
  };

  constructor() {
    super();
    this.base = "";
    /** @type {any} */
    this.song = null;
    this.ready = 0;
    this.picture = "wave";
    this.zoom = 1;
    this.chosen = -1;
    this.frame = 0;
    this.note = "";
    this.speed = 1;
    this.pitch = 0;
    /** @type {Record<string, StripState>} */
    this.strips = {};
    /** @type {ReturnType<typeof openStage> | null} */
    this.stage = null;
    /** @type {Int8Array[]} */
    this.peaks = [];
    /** @type {Uint8Array[]} */
    this.bands = [];
    /** @type {Map<string, SpectrogramTiles>} */
    this.images = new Map();
    this.animation = 0;
    this.scale = 1;
    this.drawnFor = "";
    this.refresh = 0;
    this.loads = 0;
    this.picturesDue = 0;
    this.leaveLockScreen = () => {};
    listenWhileConnected(this, document, {
      keydown: (event) => onPlayerKey(this, event),
      visibilitychange: () => this.wake(),
    });
    this.redraw = () => {
      this.images.clear();
      this.drawnFor = "";
      this.requestUpdate();
    };
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("ss-theme", this.redraw);
    this.resizes = new ResizeObserver(() => this.draw(true));
    this.resizes.observe(this);
    this.loadPictures();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("ss-theme", this.redraw);
    this.resizes?.disconnect();
    cancelAnimationFrame(this.animation);
    clearTimeout(this.refresh);
    this.closeStage();
  }

  closeStage() {
    this.stage?.close();
    this.stage = null;
    this.leaveLockScreen();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    const before = /** @type {any} */ (changed.get("song"))?.stems_version;
    if (before && before !== this.song.stems_version) this.replaceStems();
    if (changed.has("ready") && changed.get("ready") !== undefined) {
      this.stage?.pieces.retryNow();
      this.refreshPictures();
    }
    this.draw(false);
  }

  /** Goes on with other stems, as the song was separated again. */
  replaceStems() {
    this.closeStage();
    this.strips = {};
    this.bands = [];
    this.images.clear();
    this.loadPictures();
  }

  firstUpdated() {
    const ruler = /** @type {HTMLElement} */ (this.querySelector(".ruler"));
    makeLoopHandle(this, ruler);
  }

  async loadPictures() {
    const [load, began] = [++this.loads, performance.now()];
    const blobs = await this.blobs("peaks");
    if (load !== this.loads || !blobs.length) return; // a later one has more, or the connection broke: keep what is shown
    this.peaks = blobs.map((blob) => new Int8Array(blob.buffer, blob.byteOffset, blob.length));
    let loudest = 1;
    for (const lane of this.peaks) for (const peak of lane) loudest = Math.max(loudest, Math.abs(peak));
    this.scale = (128 / loudest) * 0.92; // one for all lanes, so that they compare
    if (this.picture === "spectrogram") await this.loadSpectrogram();
    this.draw(true);
    this.picturesDue = performance.now() + Math.max(MIN_REFRESH_MS, 10 * (performance.now() - began));
  }

  /** Loads the pictures of a growing song again, but not all the time: the server reads all that is there. */
  refreshPictures() {
    clearTimeout(this.refresh);
    const wait = this.song.state === "ready" ? 0 : Math.max(0, this.picturesDue - performance.now());
    this.refresh = setTimeout(() => this.isConnected && this.loadPictures(), wait);
  }

  async loadSpectrogram() {
    const { loads } = this;
    const bands = await this.blobs("spectrogram");
    if (loads !== this.loads || !bands.length) return;
    this.bands = bands;
    this.images.clear();
    this.draw(true);
  }

  /** @param {string} what @returns {Promise<Uint8Array[]>} one a stem */
  async blobs(what) {
    try {
      const response = await fetch(`${this.base}/${what}?v=${this.song.stems_version}`);
      return response.ok ? viewBlobs(await response.arrayBuffer()) : [];
    } catch {
      return [];
    }
  }

  // playback

  /** @returns {ReturnType<typeof openStage>} */
  get open() {
    if (!this.stage) {
      this.stage = openStage(this.base, this.song);
      const { player, pieces, context, mixer } = this.stage;
      player.addEventListener("state", () => this.follow());
      player.addEventListener("moved", () => this.requestUpdate());
      pieces.addEventListener("failed", (event) => (this.note = String(/** @type {CustomEvent} */ (event).detail)));
      pieces.addEventListener("piece", () => (this.note = ""));
      context.addEventListener("statechange", () => this.requestUpdate());
      player.at = this.scaled(this.frame);
      for (const [stem, state] of Object.entries(this.strips)) mixer.change(stem, state, false);
      this.leaveLockScreen = followLockScreen(this);
    }
    return this.stage;
  }

  /** @param {number} frame of the song @returns {number} at the context's rate */
  scaled(frame) {
    return Math.round((frame * (this.stage?.context.sampleRate ?? this.song.sample_rate)) / this.song.sample_rate);
  }

  /** @param {number} frame at the context's rate @returns {number} of the song */
  unscaled(frame) {
    return Math.round((frame * this.song.sample_rate) / (this.stage?.context.sampleRate ?? this.song.sample_rate));
  }

  get playing() {
    return this.stage?.player.playing ?? false;
  }

  get loop() {
    const loop = this.stage?.player.loop ?? null;
    return loop ? { start: this.unscaled(loop.start), end: this.unscaled(loop.end) } : null;
  }

  /** @returns {number} seconds */
  get position() {
    return this.frame / this.song.sample_rate;
  }

  /** @returns {boolean} whether the browser has stopped the sound: "interrupted" by a call in Safari, "suspended" after it */
  get stalled() {
    return (this.stage?.player.scheduling ?? false) && this.stage?.context.state !== "running";
  }

  /** Goes on after an interruption, if the browser lets a page do so without a touch. */
  wake() {
    if (document.visibilityState === "visible" && this.stalled) this.stage?.player.resume();
  }

  follow() {
    this.requestUpdate();
    if (this.playing && !this.animation) this.followSound();
  }

  followSound() {
    this.animation = requestAnimationFrame(() => {
      this.animation = 0;
      if (!this.stage) return;
      this.frame = this.unscaled(this.stage.player.position);
      for (const strip of this.querySelectorAll("ss-strip")) {
        const { name, meter } = /** @type {import("../components/strip.js").Strip} */ (strip);
        meter?.setPeaks(...this.stage.mixer.peaks(name));
      }
      if (this.playing) this.followSound();
      else for (const meter of this.querySelectorAll("ss-meter")) /** @type {any} */ (meter).setPeaks(-90, -90);
    });
  }

  toggle() {
    const { player } = this.open;
    if (player.playing && player.context.state !== "running") player.resume();
    else player.toggle();
    this.follow();
  }

  /** @param {number} frame of the song */
  seek(frame) {
    this.frame = Math.min(Math.max(Math.round(frame), 0), this.song.frames);
    if (this.stage) this.stage.player.seek(this.scaled(this.frame));
  }

  /** @param {number} seconds */
  skip(seconds) {
    this.seek(this.frame + seconds * this.song.sample_rate);
  }

  /** @param {{start: number, end: number} | null} loop frames of the song */
  setLoop(loop) {
    this.open.player.setLoop(loop && { start: this.scaled(loop.start), end: this.scaled(loop.end) });
    this.requestUpdate();
  }

  /** @param {number} speed @param {number} pitch semitones */
  setTempo(speed, pitch) {
    if (!canStretch()) return;
    this.speed = Math.round(Math.min(Math.max(speed, 0.5), 2) * 100) / 100;
    this.pitch = Math.min(Math.max(Math.round(pitch), -12), 12);
    this.open.player.setTempo(this.speed, this.pitch);
  }

  tempo() {
    const reason = canStretch() ? "" : "Needs HTTPS, or this page on the computer itself";
    const select = (
      /** @type {string} */ label,
      /** @type {number[]} */ values,
      /** @type {number} */ now,
      /** @type {(value: number) => string} */ text,
      /** @type {(value: number) => void} */ act,
    ) => html`<select
      class="input tempo ${label.toLowerCase()}"
      aria-label=${label}
      title=${reason || label}
      ?disabled=${reason !== ""}
      @change=${(/** @type {Event} */ event) => act(Number(/** @type {HTMLSelectElement} */ (event.target).value))}
    >
      ${[...new Set([...values, now])].sort((a, b) => a - b).map(
        (value) => html`<option value=${value} .selected=${value === now}>${text(value)}</option>`,
      )}
    </select>`;
    const speeds = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2];
    const pitches = [...Array(25).keys()].map((index) => index - 12);
    return html`${select("Speed", speeds, this.speed, (value) => `${value}×`, (value) => this.setTempo(value, this.pitch))}
    ${select("Pitch", pitches, this.pitch, (value) => (value === 0 ? "Key ±0" : `Key ${value > 0 ? "+" : "−"}${Math.abs(value)}`), (value) =>
      this.setTempo(this.speed, value),
    )}`;
  }

  /** @param {"start" | "end"} mark */
  mark(mark) {
    const loop = { start: this.loop?.start ?? 0, end: this.loop?.end ?? this.song.frames, [mark]: this.frame };
    if (loop.start < loop.end) this.setLoop(loop);
  }

  toggleLoop() {
    const four = 4 * this.song.sample_rate;
    this.setLoop(this.loop ? null : { start: this.frame, end: Math.min(this.frame + four, this.song.frames) });
  }

  /** @param {string} stem @param {Partial<StripState>} change */
  change(stem, change) {
    this.strips = { ...this.strips, [stem]: { ...this.strip(stem), ...change } };
    this.stage?.mixer.change(stem, change);
    this.requestUpdate();
    this.dispatchEvent(new CustomEvent("ss-mix", { detail: this.strips }));
  }

  /** @param {string} stem @returns {StripState} */
  strip(stem) {
    return this.strips[stem] ?? { db: 0, pan: 0, mute: false, solo: false };
  }

  // drawing

  get view() {
    const length = this.song.frames / this.zoom;
    const first = this.zoom === 1 ? 0 : Math.min(Math.max(this.frame - length / 3, 0), this.song.frames - length);
    return { first, last: first + length };
  }

  /** @param {number} frame @returns {number} share of the width */
  share(frame) {
    const { first, last } = this.view;
    return (frame - first) / (last - first);
  }

  /** @param {boolean} anew */
  draw(anew) {
    if (!this.song || !this.isConnected) return;
    const { view } = this;
    const ready = this.song.state === "ready" ? this.song.frames : this.ready;
    const area = /** @type {HTMLElement | null} */ (this.querySelector(".lanes"));
    if (!area) return;
    area.style.setProperty("--playhead", String(this.share(this.frame)));
    const { loop } = this;
    area.style.setProperty("--loop-start", String(loop ? Math.min(Math.max(this.share(loop.start), 0), 1) : 0));
    area.style.setProperty("--loop-end", String(loop ? Math.min(Math.max(this.share(loop.end), 0), 1) : 0));
    area.style.setProperty("--made", String(Math.min(Math.max(this.share(ready), 0), 1)));
    const key = [view.first, view.last, this.picture, ready, this.peaks.length, this.bands.length].join();
    if (!anew && key === this.drawnFor) return;
    this.drawnFor = key;
    for (const canvas of this.querySelectorAll("canvas")) this.drawLane(canvas, view, ready);
  }

  /** @param {HTMLCanvasElement} canvas @param {import("./waves.js").View} view @param {number} ready */
  drawLane(canvas, view, ready) {
    const stem = canvas.dataset.lane ?? "";
    const index = this.song.stems.indexOf(stem);
    const colour = getComputedStyle(canvas).getPropertyValue("--stem").trim();
    if (this.picture === "spectrogram" && this.bands[index]) {
      const tiles = this.images.get(stem) ?? new SpectrogramTiles(this.bands[index], colourParts(colour));
      this.images.set(stem, tiles);
      tiles.draw(canvas, view);
    } else if (this.peaks[index]) drawWave(canvas, this.peaks[index], view, { fill: colour, quiet: colour }, ready, this.scale);
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (event.button !== 0) return;
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const { first, last } = this.view;
    this.seek(first + ((event.clientX - box.left) / box.width) * (last - first));
  }

  /** @param {string} stem */
  lane(stem) {
    const anySolo = Object.values(this.strips).some((one) => one.solo);
    const { mute, solo } = this.strip(stem);
    return html`<div
      class="lane ${mute || (anySolo && !solo) ? "silent" : ""}"
      role="group"
      aria-label=${stem}
      data-stem=${stem}
    >
      <div class="lane-head">
        <span class="icon small icon-stem-${stemIcon(stem)}" aria-hidden="true"></span>
        <span class="truncate">${stem}</span>
      </div>
      <div class="lane-picture" @pointerdown=${this.point}><canvas data-lane=${stem} data-stem=${stem}></canvas></div>
    </div>`;
  }

  /** @param {string} stem @param {number} place */
  stripOf(stem, place) {
    const anySolo = Object.values(this.strips).some((one) => one.solo);
    const state = this.strip(stem);
    const master = stem === "master";
    return html`<ss-strip
      .name=${stem}
      .state=${state}
      .chosen=${place === this.chosen}
      .silent=${state.mute || (anySolo && !state.solo && !master)}
      .hasSolo=${!master}
      .hasPan=${!master}
      @ss-change=${(/** @type {CustomEvent} */ event) =>
        this.change(stem, { [event.detail.control]: event.detail.value })}
    ></ss-strip>`;
  }

  status() {
    const state = this.stage?.player.state;
    if (this.stalled) return "Tap to continue";
    if (this.note) return this.note;
    if (state === "waiting" || (this.song.state !== "ready" && this.ready < this.song.frames)) {
      const rate = this.song.sample_rate;
      return `Separating: ${formatTime(this.ready / rate)} of ${formatTime(this.song.frames / rate)}`;
    }
    return state === "loading" ? "Loading" : "";
  }

  /** @param {string} label @param {string} icon @param {() => void} act @param {{pressed?: boolean, primary?: boolean, text?: string}} [options] */
  button(label, icon, act, { pressed, primary = false, text = "" } = {}) {
    return html`<button
      class="button ${primary ? "primary round" : "plain"} ${text ? "" : "icon-only"}"
      aria-label=${label}
      title=${label}
      aria-pressed=${pressed === undefined ? nothing : String(pressed)}
      @click=${act}
    >
      <span class="icon icon-${icon}" aria-hidden="true"></span>${text}
    </button>`;
  }

  /** @param {string} picture */
  async show(picture) {
    this.picture = picture;
    if (picture === "spectrogram" && !this.bands.length) await this.loadSpectrogram();
  }

  transport() {
    const { song, loop } = this;
    const length = song.frames / song.sample_rate;
    return html`<div class="transport" role="group" aria-label="Transport">
      ${this.button(this.playing ? "Pause" : "Play", this.playing ? "pause" : "play", () => this.toggle(), { primary: true })}
      ${this.button("5 seconds back", "rotate-ccw", () => this.skip(-5))}
      <div class="clock numbers">
        <b>${formatTenths(this.position)}</b><span class="quiet"> / ${formatTime(length)}</span>
      </div>
      <input
        class="visually-hidden"
        type="range"
        min="0"
        max=${Math.ceil(length)}
        step="1"
        .value=${String(Math.floor(this.position))}
        aria-label="Position"
        aria-valuetext="${formatTime(this.position)} of ${formatTime(length)}"
        @input=${(/** @type {Event} */ event) =>
          this.seek(Number(/** @type {HTMLInputElement} */ (event.target).value) * song.sample_rate)}
      />
      <span class="status quiet truncate grow" role="status">${this.status()}</span>
      ${this.button("Loop", "repeat", () => this.toggleLoop(), { pressed: loop !== null })}
      <button class="button plain mark" @click=${() => this.mark("start")} aria-label="Loop from here" title="Loop from here">
        A${loop ? html` <span class="quiet small wide-only">${formatTenths(loop.start / song.sample_rate)}</span>` : nothing}
      </button>
      <button class="button plain mark" @click=${() => this.mark("end")} aria-label="Loop to here" title="Loop to here">
        B${loop ? html` <span class="quiet small wide-only">${formatTenths(loop.end / song.sample_rate)}</span>` : nothing}
      </button>
    </div>`;
  }

  tools() {
    const zoomed = (/** @type {number} */ factor) => (this.zoom = Math.min(Math.max(this.zoom * factor, 1), MAX_ZOOM));
    return html`<div class="player-tools">
      <div class="segmented" role="group" aria-label="Picture">
        ${[
          ["wave", "Wave"],
          ["spectrogram", "Spectrum"],
        ].map(
          ([picture, label]) => html`<button
            aria-pressed=${String(this.picture === picture)}
            @click=${() => this.show(picture)}
          >
            ${label}
          </button>`,
        )}
      </div>
      <span class="grow"></span>
      ${this.tempo()}
      <span class="quiet small">${this.zoom > 1 ? `${this.zoom}×` : ""}</span>
      <button class="button plain icon-only zoom" aria-label="Zoom out" ?disabled=${this.zoom === 1} @click=${() => zoomed(0.5)}>−</button>
      <button class="button plain icon-only zoom" aria-label="Zoom in" ?disabled=${this.zoom >= MAX_ZOOM} @click=${() => zoomed(2)}>+</button>
    </div>`;
  }

  ruler() {
    const rate = this.song.sample_rate;
    const { first, last } = this.view;
    const seconds = (last - first) / rate;
    const step = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((one) => seconds / one <= this.clientWidth / 90) ?? 1200;
    const ticks = [];
    for (let at = Math.ceil(first / rate / step) * step; at < last / rate; at += step) ticks.push(at);
    return html`<div class="ruler" title="Drag to loop">
      ${ticks.map((at) => html`<span class="tick" data-at=${at}>${formatTime(at)}</span>`)}
      <div class="loop-range" ?hidden=${!this.loop}>
        <div class="loop-handle start" data-mark="start"></div>
        <div class="loop-handle end" data-mark="end"></div>
      </div>
    </div>`;
  }

  placeTicks() {
    for (const tick of this.querySelectorAll(".ruler .tick")) {
      const { dataset, style } = /** @type {HTMLElement} */ (tick);
      style.setProperty("left", `${this.share(Number(dataset.at) * this.song.sample_rate) * 100}%`);
    }
  }

  render() {
    if (!this.song?.stems?.length) return nothing;
    queueMicrotask(() => this.placeTicks());
    return html`${this.tools()}
      <div class="lanes">
        ${this.ruler()} ${this.song.stems.map((/** @type {string} */ stem) => this.lane(stem))}
        <div class="overlay" aria-hidden="true">
          <div class="loop-shade" ?hidden=${!this.loop}></div>
          <div class="playhead"></div>
        </div>
      </div>
      <div class="strips" role="group" aria-label="Mixer">
        ${[...this.song.stems, "master"].map((stem, place) => this.stripOf(stem, place))}
      </div>
      ${this.transport()}`;
  }
}

customElements.define("ss-player", PlayerView);
