// @ts-check
// <ss-unfinished>: uploads that another page, or an earlier visit, has left unfinished.

import { LitElement, html, nothing } from "lit";
import { app } from "./state.js";
import { toast } from "../components/toast.js";
import { formatBytes } from "../lib/format.js";
import { listenWhileConnected } from "../lib/listen.js";
import "../components/progress.js";

/** @typedef {import("./uploads.js").Unfinished} Unfinished */

/** @param {string} name @returns {string} without what the server removes from names */
const visible = (name) => name.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, "");

class UnfinishedUploads extends LitElement {
  constructor() {
    super();
    listenWhileConnected(this, app.uploads, { changed: () => this.requestUpdate() });
    listenWhileConnected(this, app.events, { reset: () => app.uploads.refresh() });
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    app.uploads.refresh();
  }

  /** @param {Unfinished} upload @param {File | undefined} file */
  resume(upload, file) {
    if (!file) return;
    const { name, size } = upload;
    if (file.size === size && visible(file.name).endsWith(visible(name))) app.uploads.adopt(upload, file);
    else toast(`${file.name} has ${formatBytes(file.size)}. Choose ${name} with ${formatBytes(size)}, or discard its upload.`, { bad: true });
  }

  /** @param {Unfinished} upload */
  item(upload) {
    const { id, name, size, offset } = upload;
    const choose = (/** @type {Event} */ event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      this.resume(upload, input.files?.[0]);
      input.value = "";
    };
    return html`<li class="queue-item">
      <div class="truncate"><b>${name}</b></div>
      <div class="row">
        <label class="button">
          Resume<input class="visually-hidden" type="file" aria-label="Resume ${name}: choose the file" @change=${choose} />
        </label>
        <button class="button plain danger" aria-label="Discard ${name}" @click=${() => app.uploads.discard(id)}>Discard</button>
      </div>
      <div class="small quiet">${formatBytes(offset)} of ${formatBytes(size)}</div>
      <ss-progress .share=${offset / size} .label="Upload of ${name}"></ss-progress>
    </li>`;
  }

  render() {
    const { unfinished } = app.uploads;
    if (!unfinished.length) return nothing;
    return html`<section class="unfinished stack tight">
      <h2>Unfinished uploads</h2>
      <p class="quiet small">To resume one, choose the same file again. Until then it counts against your storage and your number of uploads.</p>
      <ul class="queue" aria-label="Unfinished uploads">${unfinished.map((upload) => this.item(upload))}</ul>
    </section>`;
  }
}

customElements.define("ss-unfinished", UnfinishedUploads);
