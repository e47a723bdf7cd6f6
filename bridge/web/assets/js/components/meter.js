// @ts-check
// <ss-meter>: falling peaks, left and right; all meters of a page are drawn in one animation frame.

import { LitElement, html } from "lit";

const BOTTOM_DB = -60;
const FALL_DB_PER_SECOND = 40;
const CLIP_MS = 1500;

/** @type {Set<Meter>} */
const meters = new Set();
let frame = 0;
let before = 0;

/** @param {number} now */
function draw(now) {
  const seconds = Math.min((now - before) / 1000, 0.1);
  before = now;
  for (const meter of meters) meter.draw(seconds, now);
  frame = meters.size ? requestAnimationFrame(draw) : 0;
}

export class Meter extends LitElement {
  static properties = { label: {} };

  constructor() {
    super();
    this.label = "";
    this.peaks = [-90, -90];
    this.shown = [-90, -90];
    this.clippedAt = [-Infinity, -Infinity];
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    meters.add(this);
    if (!frame) frame = requestAnimationFrame(draw);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    meters.delete(this);
  }

  /** @param {number} left dBFS @param {number} right */
  setPeaks(left, right) {
    this.peaks = [left, right];
    const now = performance.now();
    if (left >= -0.05) this.clippedAt[0] = now;
    if (right >= -0.05) this.clippedAt[1] = now;
  }

  /** @param {number} seconds @param {number} now */
  draw(seconds, now) {
    const bars = /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll(".bar"));
    for (const [side, bar] of bars.entries()) {
      const fallen = this.shown[side] - FALL_DB_PER_SECOND * seconds;
      const next = Math.max(this.peaks[side], fallen, -90);
      if (next !== this.shown[side] || !bar.dataset.drawn) {
        this.shown[side] = next;
        bar.dataset.drawn = "yes";
        const level = Math.min(Math.max(1 - next / BOTTOM_DB, 0), 1);
        bar.style.setProperty("--level", level.toFixed(3));
      }
      bar.classList.toggle("clipped", now - this.clippedAt[side] < CLIP_MS);
    }
  }

  render() {
    return html`<div class="meter" aria-hidden="true"><div class="bar"></div><div class="bar"></div></div>`;
  }
}

customElements.define("ss-meter", Meter);
