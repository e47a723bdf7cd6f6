// @ts-check
// <ss-live-page>: the faders of a running engine.

import { LitElement, html, nothing } from "lit";
import { toast } from "../components/toast.js";
import { openSheet } from "../components/sheet.js";
import { safeName } from "./store.js";
import { ControlStore } from "./store.js";
import { LiveConnection } from "./connection.js";
import { pairingView, readKey, sendKey } from "./pairing.js";
import { transportView } from "./transport.js";
import { effectsSheet, moreSheet, presetsSheet } from "./sheets.js";
import { onKey } from "./keys.js";
import "../components/strip.js";

const LAMP_MS = 2500;

export class LivePage extends LitElement {
  static properties = { changed: { state: true }, chosen: { state: true } };

  constructor() {
    super();
    this.store = new ControlStore();
    this.permission = "control";
    /** @type {{name: string, role: string}[]} */
    this.peers = [];
    this.you = -1;
    this.chosen = -1;
    this.changed = 0;
    this.lateSince = -Infinity;
    this.pairError = "";
    this.position = { seconds: 0, at: 0 };
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.connection = new LiveConnection(`${scheme}://${location.host}/ws`);
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.connection.addEventListener("status", () => this.requestUpdate());
    this.connection.addEventListener("text", (event) => this.receiveText(/** @type {CustomEvent} */ (event).detail));
    this.connection.addEventListener("message", (event) => this.receive(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => onKey(this, event));
    this.enter();
  }

  async enter() {
    const key = readKey();
    if (key) await this.pair(key);
    else this.connection.connect();
  }

  /** @param {string} key */
  async pair(key) {
    this.pairError = await sendKey(key);
    this.requestUpdate();
    if (!this.pairError || this.connection.status !== "unpaired") this.connection.connect();
  }

  /** @param {Record<string, any>} message */
  receiveText(message) {
    if (message.tree) this.store.tree = message.tree;
    if (message.stems) this.store.stems = message.stems;
    if (message.role) this.permission = message.role;
    if (message.peers) [this.peers, this.you] = [message.peers, message.you];
    this.requestUpdate();
  }

  /** @param {import("../lib/osc.js").Message} message */
  receive({ address, args }) {
    if (address.endsWith("/meter")) {
      this.meterOf(address)?.setPeaks(Number(args[0]), Number(args[1]));
      return;
    }
    if (address === "/error") toast(String(args[0]), { bad: true });
    if (address === "/pong" || address.startsWith("/list/")) return;
    if (address === "/engine/late_hops" && this.store.number(address) < Number(args[0])) this.flashLate();
    if (address === "/transport/position") this.position = { seconds: Number(args[0]), at: performance.now() };
    if (this.store.receive(address, args)) this.requestUpdate();
  }

  /** @param {string} address @returns {import("../components/meter.js").Meter | null} */
  meterOf(address) {
    const place = address === "/master/meter" ? this.store.stems.length : this.bases().indexOf(address.slice(0, -6));
    const strip = /** @type {import("../components/strip.js").Strip | undefined} */ (
      this.querySelectorAll("ss-strip")[place]
    );
    return strip?.meter ?? null;
  }

  flashLate() {
    this.lateSince = performance.now();
    setTimeout(() => this.requestUpdate(), LAMP_MS);
  }

  /** @returns {string[]} prefixes of the strips' addresses */
  bases() {
    return [...this.store.stems.map((stem) => `/stem/${safeName(stem)}`), "/master"];
  }

  /** @returns {boolean} whether the controls are disabled */
  get resting() {
    return this.connection.status !== "open" || this.permission !== "control";
  }

  /** @param {string} address @param {number | string} value */
  move(address, value) {
    if (this.resting) return;
    this.store.values.set(address, [value]);
    this.connection.send(address, value);
    this.requestUpdate();
  }

  /** @param {string} address */
  toggle(address) {
    this.move(address, this.store.on(address) ? 0 : 1);
  }

  /** @param {string} base @param {boolean} held */
  touch(base, held) {
    if (held) this.store.held.add(base);
    else this.store.held.delete(base);
    if (base !== "/master" || this.store.has("/master/fader")) this.connection.sendNow(`${base}/touch`, held ? 1 : 0);
  }

  /** @param {string} base @param {string} control @param {number | boolean} value */
  change(base, control, value) {
    this.move(`${base}/${control === "db" ? "gain" : control}`, Number(value));
  }

  /** @param {string} base @param {number} place */
  strip(base, place) {
    const { store } = this;
    const soloed = this.bases().some((other) => store.on(`${other}/solo`));
    const state = {
      db: store.number(`${base}/gain`),
      pan: store.number(`${base}/pan`),
      mute: store.on(`${base}/mute`),
      solo: store.on(`${base}/solo`),
    };
    const master = base === "/master";
    return html`<ss-strip
      .name=${master ? "master" : store.stems[place]}
      .state=${state}
      .resting=${this.resting}
      .chosen=${place === this.chosen}
      .silent=${state.mute || (soloed && !state.solo && !master)}
      .hasSolo=${!master}
      .hasPan=${!master}
      @ss-change=${(/** @type {CustomEvent} */ event) => this.change(base, event.detail.control, event.detail.value)}
      @ss-touch=${(/** @type {CustomEvent<boolean>} */ event) => this.touch(base, event.detail)}
    ></ss-strip>`;
  }

  banner() {
    const { status } = this.connection;
    const state = this.store.text("/engine/state");
    if (status === "lost") return this.warn("wifi-off", "Connection lost; faders are off until it is back. Trying again …");
    if (status === "connecting") return nothing;
    if (state && !["running", "playing", "bypassed", "starting"].includes(state)) {
      return this.warn("power", "The engine is not running.");
    }
    if (this.permission === "view") return html`<div class="banner" role="status">
      <span class="icon icon-eye" aria-hidden="true"></span>This page is read-only.
    </div>`;
    return nothing;
  }

  /** @param {string} icon @param {string} text */
  warn(icon, text) {
    return html`<div class="banner warning" role="status">
      <span class="icon icon-${icon}" aria-hidden="true"></span>${text}
    </div>`;
  }

  head() {
    const { store } = this;
    const late = store.number("/engine/late_hops");
    const lit = performance.now() - this.lateSince < LAMP_MS;
    const lamp = this.connection.status !== "open" ? "bad" : lit ? "warning" : "good";
    const latency = store.number("/engine/latency", NaN);
    return html`<header class="live-head">
      <span class="lamp ${lamp}" aria-hidden="true"></span>
      <h1 class="grow truncate">${store.text("/engine/model") || "stream_sep"}</h1>
      <div class="facts">
        ${Number.isFinite(latency) ? html`<span><b>${latency.toFixed(1)}</b> ms</span>` : nothing}
        <span class=${lit ? "error-text" : ""}><b>${late}</b> late</span>
      </div>
    </header>`;
  }

  /** @param {string} label @param {string} icon @param {string} address */
  switchButton(label, icon, address) {
    return html`<button
      class="button"
      aria-pressed=${this.store.on(address) ? "true" : "false"}
      ?disabled=${this.resting}
      @click=${() => this.toggle(address)}
    >
      <span class="icon icon-${icon}" aria-hidden="true"></span>${label}
    </button>`;
  }

  /** @param {string} label @param {string} icon @param {string} id */
  sheetButton(label, icon, id) {
    return html`<button class="button" aria-haspopup="dialog" @click=${() => openSheet(id)}>
      <span class="icon icon-${icon}" aria-hidden="true"></span>${label}
    </button>`;
  }

  actions() {
    const effects = this.store.tree.some((node) => /\/chain\/\d+\//.test(node.address));
    return html`<nav class="live-actions" aria-label="Mixer">
      ${this.store.has("/karaoke") ? this.switchButton("Karaoke", "mic-vocal", "/karaoke") : nothing}
      ${this.switchButton("Bypass", "power", "/bypass")} ${this.sheetButton("Presets", "list-music", "presets")}
      ${effects ? this.sheetButton("Effects", "sparkles", "effects") : nothing}
      ${this.sheetButton("More", "ellipsis", "more")}
    </nav>`;
  }

  render() {
    if (this.connection.status === "unpaired") return pairingView(this);
    const transport = this.store.has("/transport/position");
    return html`<div class="live-page">
        ${this.head()}
        <div>${this.banner()} ${transport ? transportView(this) : nothing}</div>
        <main class="strips" aria-label="Faders">${this.bases().map((base, place) => this.strip(base, place))}</main>
        ${this.actions()}
      </div>
      ${presetsSheet(this)} ${effectsSheet(this)} ${moreSheet(this)}`;
  }
}

customElements.define("ss-live-page", LivePage);
