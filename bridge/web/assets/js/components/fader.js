// @ts-check
// <ss-fader>: a level by the X32 law. Fingers move it relatively, keyboards and screen readers by a native range.

import { LitElement, html } from "lit";
import { makeDraggable } from "../lib/drag.js";
import { LOUDEST_DB, SILENCE_DB, dbToPosition, positionToDb, spokenDb } from "../lib/levels.js";

const MIN_TRAVEL = 200; // pixels, where the fader itself is shorter
const CATCH_DB = 0.5;
const TICKS = [10, 5, 0, -5, -10, -20, -30, -50];
const STEPS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 6, PageDown: -6 };

/**
 * @fires ss-touch with detail `held`
 * @fires ss-move with detail `db`
 */
export class Fader extends LitElement {
  static properties = {
    db: { type: Number },
    label: {},
    resting: { type: Boolean },
    held: { state: true },
    fine: { state: true },
  };

  constructor() {
    super();
    this.db = 0;
    this.label = "";
    this.resting = false;
    this.held = false;
    this.fine = false;
    this.travel = 0; // where the finger is, before 0 dB catches
    this.drop = () => {};
    this.release = () => this.drop();
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("blur", this.release);
    document.addEventListener("visibilitychange", this.release);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("blur", this.release);
    document.removeEventListener("visibilitychange", this.release);
    this.drop();
  }

  firstUpdated() {
    const fader = /** @type {HTMLElement} */ (this.querySelector(".fader"));
    this.drop = makeDraggable(fader, "y", {
      start: () => {
        if (this.resting) return false;
        this.native?.focus({ preventScroll: true });
        this.travel = dbToPosition(this.db);
        this.hold(true);
        return true;
      },
      move: (share, fine) => {
        if (this.resting) return;
        this.fine = fine;
        this.travel = Math.min(Math.max(this.travel + share, 0), 1);
        const db = positionToDb(this.travel);
        this.moveTo(Math.abs(db) <= CATCH_DB ? 0 : db);
      },
      end: () => {
        this.fine = false;
        this.hold(false);
      },
      reset: () => {
        this.travel = dbToPosition(0);
        this.moveTo(0);
      },
      travel: () => Math.max(MIN_TRAVEL, fader.clientHeight - 28),
    });
  }

  /** @returns {HTMLInputElement | null} */
  get native() {
    return this.querySelector("input");
  }

  /** @param {boolean} held */
  hold(held) {
    this.held = held;
    this.dispatchEvent(new CustomEvent("ss-touch", { detail: held, bubbles: true }));
  }

  /** @param {number} db */
  moveTo(db) {
    const next = Math.round(Math.min(Math.max(db, SILENCE_DB), LOUDEST_DB) * 10) / 10;
    if (next === this.db || this.resting) return;
    this.db = next;
    this.dispatchEvent(new CustomEvent("ss-move", { detail: next, bubbles: true }));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
    if (step) this.moveTo(this.db + (event.shiftKey && Math.abs(step) === 1 ? step / 10 : step));
    else if (event.key === "Home") this.moveTo(SILENCE_DB);
    else if (event.key === "End") this.moveTo(LOUDEST_DB);
    else if (event.key === "0") this.moveTo(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  updated() {
    const fader = /** @type {HTMLElement} */ (this.querySelector(".fader"));
    fader.style.setProperty("--position", String(dbToPosition(this.db)));
    for (const [index, tick] of this.querySelectorAll(".tick").entries()) {
      /** @type {HTMLElement} */ (tick).style.setProperty("top", `${(1 - dbToPosition(TICKS[index])) * 100}%`);
    }
  }

  render() {
    const state = `${this.held ? "held" : ""} ${this.fine ? "fine" : ""} ${this.resting ? "resting" : ""}`;
    return html`<div class="fader focusable ${state}">
      <div class="ticks">${TICKS.map((db) => html`<div class="tick ${db === 0 ? "zero" : ""}"></div>`)}</div>
      <div class="slot"><div class="slot-fill"></div></div>
      <input
        class="native"
        type="range"
        min=${SILENCE_DB}
        max=${LOUDEST_DB}
        step="0.1"
        .value=${String(this.db)}
        ?disabled=${this.resting}
        aria-label="${this.label} level"
        aria-orientation="vertical"
        aria-valuetext=${spokenDb(this.db)}
        @keydown=${this.key}
        @input=${(/** @type {Event} */ event) => this.moveTo(Number(/** @type {HTMLInputElement} */ (event.target).value))}
      />
      <div class="travel"><div class="cap"></div></div>
    </div>`;
  }
}

customElements.define("ss-fader", Fader);
