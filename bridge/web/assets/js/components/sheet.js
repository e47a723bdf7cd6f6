// @ts-check
// A native <dialog> with a title and a close button; on phones it comes up from below.

import { html, nothing } from "lit";

/**
 * @param {{id: string, title: string, body: unknown, close?: () => void}} options
 * @returns {import("lit").TemplateResult}
 */
export function sheet({ id, title, body, close }) {
  return html`<dialog
    id=${id}
    aria-labelledby="${id}-title"
    @close=${() => close?.()}
    @click=${(/** @type {MouseEvent} */ event) => {
      if (event.target === event.currentTarget) /** @type {HTMLDialogElement} */ (event.currentTarget).close();
    }}
  >
    <header>
      <h2 id="${id}-title">${title}</h2>
      <form method="dialog">
        <button class="button plain icon-only" aria-label="Close"><span class="icon icon-x" aria-hidden="true"></span></button>
      </form>
    </header>
    <div class="body stack">${body ?? nothing}</div>
  </dialog>`;
}

/** @param {string} id */
export function openSheet(id) {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById(id));
  if (dialog && !dialog.open) dialog.showModal();
}

/** @param {string} id */
export function closeSheet(id) {
  /** @type {HTMLDialogElement | null} */ (document.getElementById(id))?.close();
}
