// @ts-check
// <ss-strip>: one stem, or the master: name, level, fader, meter, pan, mute, solo.

import { LitElement, html, nothing } from "lit";
import { formatDb } from "../lib/levels.js";
import "./fader.js";
import "./meter.js";
import "./pan.js";

/** @typedef {{db: number, pan: number, mute: boolean, solo: boolean}} StripState */

/** @param {string} name @returns {string} the last part of a class name */
export function stemIcon(name) {
  return ["vocals", "drums", "bass", "guitar", "piano", "master"].includes(name) ? name : "other";
}

/**
 * @fires ss-change with detail `{control, value}`; control is db, pan, mute or solo
 * @fires ss-touch from its fader
 */
export class Strip extends LitElement {
  static properties = {
    name: {},
    state: { attribute: false },
    resting: { type: Boolean },
    chosen: { type: Boolean },
    silent: { type: Boolean },
    hasSolo: { type: Boolean },
    hasPan: { type: Boolean },
  };

  constructor() {
    super();
    this.name = "";
    /** @type {StripState} */
    this.state = { db: 0, pan: 0, mute: false, solo: false };
    this.resting = false;
    this.chosen = false;
    this.silent = false;
    this.hasSolo = true;
    this.hasPan = true;
  }

  createRenderRoot() {
    return this;
  }

  /** @param {keyof StripState} control @param {number | boolean} value */
  change(control, value) {
    this.dispatchEvent(new CustomEvent("ss-change", { detail: { control, value }, bubbles: true }));
  }

  /** @returns {import("./meter.js").Meter | null} */
  get meter() {
    return this.querySelector("ss-meter");
  }

  /** @param {"mute" | "solo"} control @param {string} letter */
  button(control, letter) {
    return html`<button
      class="button switch-button ${control}"
      aria-pressed=${this.state[control] ? "true" : "false"}
      aria-label="${control === "mute" ? "Mute" : "Solo"} ${this.name}"
      ?disabled=${this.resting}
      @click=${() => this.change(control, !this.state[control])}
    >
      ${letter}
    </button>`;
  }

  render() {
    const { db, pan } = this.state;
    return html`<section
      class="strip ${this.chosen ? "chosen" : ""} ${this.silent ? "silent" : ""}"
      data-stem=${this.name}
      aria-label=${this.name}
    >
      <div class="strip-name">
        <span class="icon icon-stem-${stemIcon(this.name)}" aria-hidden="true"></span>
        <span class="truncate">${this.name}</span>
      </div>
      <div class="strip-value" aria-hidden="true">${formatDb(db)} <span class="unit">dB</span></div>
      <div class="strip-body">
        <ss-fader
          .db=${db}
          .label=${this.name}
          .resting=${this.resting}
          @ss-move=${(/** @type {CustomEvent<number>} */ event) => {
            event.stopPropagation();
            this.change("db", event.detail);
          }}
        ></ss-fader>
        <ss-meter .label=${this.name}></ss-meter>
      </div>
      ${this.hasPan
        ? html`<ss-pan
            .pan=${pan}
            .label=${this.name}
            .resting=${this.resting}
            @ss-move=${(/** @type {CustomEvent<number>} */ event) => {
              event.stopPropagation();
              this.change("pan", event.detail);
            }}
          ></ss-pan>`
        : html`<div class="strip-spacer"></div>`}
      <div class="strip-buttons">
        ${this.button("mute", "M")} ${this.hasSolo ? this.button("solo", "S") : nothing}
      </div>
      ${this.hasSolo ? nothing : html`<div class="solo-spacer"></div>`}
    </section>`;
  }
}

customElements.define("ss-strip", Strip);
