// @ts-check
// <ss-pan>: left to right, −1 to 1; moves relatively, a double tap centres it.

import { LitElement, html } from "lit";
import { makeDraggable } from "../lib/drag.js";

const CATCH = 0.04;
const MIN_TRAVEL = 120;

/** @param {number} pan @returns {string} */
export function spokenPan(pan) {
  const share = Math.round(Math.abs(pan) * 100);
  return share === 0 ? "centre" : `${share} % ${pan < 0 ? "left" : "right"}`;
}

/** @fires ss-move with detail −1 to 1 */
export class Pan extends LitElement {
  static properties = { pan: { type: Number }, label: {}, resting: { type: Boolean } };

  constructor() {
    super();
    this.pan = 0;
    this.label = "";
    this.resting = false;
    this.travel = 0;
  }

  createRenderRoot() {
    return this;
  }

  firstUpdated() {
    const knob = /** @type {HTMLElement} */ (this.querySelector(".pan"));
    makeDraggable(knob, "x", {
      start: () => {
        this.travel = this.pan;
        return !this.resting;
      },
      move: (share) => {
        this.travel = Math.min(Math.max(this.travel + 2 * share, -1), 1);
        this.moveTo(Math.abs(this.travel) <= CATCH ? 0 : this.travel);
      },
      end: () => {},
      reset: () => {
        this.travel = 0;
        this.moveTo(0);
      },
      travel: () => Math.max(MIN_TRAVEL, knob.clientWidth - 20),
    });
  }

  /** @param {number} pan */
  moveTo(pan) {
    const next = Math.round(Math.min(Math.max(pan, -1), 1) * 100) / 100;
    if (next === this.pan || this.resting) return;
    this.pan = next;
    this.dispatchEvent(new CustomEvent("ss-move", { detail: next, bubbles: true }));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const steps = { ArrowRight: 0.1, ArrowUp: 0.1, ArrowLeft: -0.1, ArrowDown: -0.1 };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step) this.moveTo(this.pan + (event.shiftKey ? step / 10 : step));
    else if (event.key === "Home") this.moveTo(-1);
    else if (event.key === "End") this.moveTo(1);
    else if (event.key === "0") this.moveTo(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  updated() {
    const knob = /** @type {HTMLElement} */ (this.querySelector(".pan"));
    knob.style.setProperty("--position", String((this.pan + 1) / 2));
  }

  render() {
    return html`<div class="pan focusable ${this.resting ? "resting" : ""}">
      <div class="slot"></div>
      <div class="centre"></div>
      <input
        class="native"
        type="range"
        min="-1"
        max="1"
        step="0.01"
        .value=${String(this.pan)}
        ?disabled=${this.resting}
        aria-label="${this.label} pan"
        aria-valuetext=${spokenPan(this.pan)}
        @keydown=${this.key}
        @input=${(/** @type {Event} */ event) => this.moveTo(Number(/** @type {HTMLInputElement} */ (event.target).value))}
      />
      <div class="travel"><div class="cap"></div></div>
    </div>`;
  }
}

customElements.define("ss-pan", Pan);
