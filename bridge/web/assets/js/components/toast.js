// @ts-check
// <ss-toasts>: short notes at the foot of the page; polite, errors at once.

import { LitElement, html, nothing } from "lit";

/** @typedef {{id: number, text: string, bad: boolean, action?: string, act?: () => void}} Toast */

const SHOWN_MS = 6000;
const WITH_ACTION_MS = 10000;
const MAX_TOASTS = 3;

export class Toasts extends LitElement {
  static properties = { toasts: { state: true } };

  constructor() {
    super();
    /** @type {Toast[]} */
    this.toasts = [];
    this.count = 0;
  }

  createRenderRoot() {
    return this;
  }

  /**
   * @param {string} text
   * @param {{bad?: boolean, action?: string, act?: () => void}} [options]
   */
  show(text, { bad = false, action, act } = {}) {
    const toast = { id: ++this.count, text, bad, action, act };
    this.toasts = [...this.toasts.filter((one) => one.text !== text), toast].slice(-MAX_TOASTS);
    setTimeout(() => this.hide(toast.id), action ? WITH_ACTION_MS : SHOWN_MS);
  }

  /** @param {number} id */
  hide(id) {
    this.toasts = this.toasts.filter((one) => one.id !== id);
  }

  /** @param {Toast} toast */
  one(toast) {
    return html`<div class="toast ${toast.bad ? "bad" : ""}">
      <span class="icon ${toast.bad ? "icon-triangle-alert" : "icon-info"}" aria-hidden="true"></span>
      <span class="grow">${toast.text}</span>
      ${toast.action
        ? html`<button
            class="button plain"
            @click=${() => {
              this.hide(toast.id);
              toast.act?.();
            }}
          >
            ${toast.action}
          </button>`
        : nothing}
      <button class="button plain icon-only" aria-label="Close this note" @click=${() => this.hide(toast.id)}>
        <span class="icon small icon-x" aria-hidden="true"></span>
      </button>
    </div>`;
  }

  render() {
    return html`<div class="toasts">
      <div class="stack tight" role="status">${this.toasts.filter((one) => !one.bad).map((one) => this.one(one))}</div>
      <div class="stack tight" role="alert">${this.toasts.filter((one) => one.bad).map((one) => this.one(one))}</div>
    </div>`;
  }
}

customElements.define("ss-toasts", Toasts);

/**
 * @param {string} text
 * @param {{bad?: boolean, action?: string, act?: () => void}} [options]
 */
export function toast(text, options) {
  let toasts = /** @type {Toasts | null} */ (document.querySelector("ss-toasts"));
  if (!toasts) {
    toasts = new Toasts();
    document.body.append(toasts);
  }
  toasts.show(text, options);
}
