// @ts-check
// <ss-progress>: a progress bar announced to screen readers at quarters only.

import { LitElement, html } from "lit";

export class Progress extends LitElement {
  static properties = { share: { type: Number }, label: {} };

  constructor() {
    super();
    this.share = 0;
    this.label = "Progress";
  }

  createRenderRoot() {
    return this;
  }

  updated() {
    const bar = /** @type {HTMLElement} */ (this.querySelector(".progress > div"));
    bar.style.setProperty("--share", Math.min(Math.max(this.share, 0), 1).toFixed(4));
  }

  render() {
    const percent = Math.floor(Math.min(Math.max(this.share, 0), 1) * 100);
    return html`<div
      class="progress"
      role="progressbar"
      aria-label=${this.label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${percent}
    >
      <div></div>
    </div>`;
  }
}

customElements.define("ss-progress", Progress);
