// @ts-check
// Pairing a phone: the QR code's key is in the fragment, posted once, and removed from the address.

import { html } from "lit";

/** @returns {string} the key that this page was opened with; removed from the address bar and the history */
export function readKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("k") ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  return key;
}

/** @param {string} key @returns {Promise<string>} the error message, or an empty string */
export async function sendKey(key) {
  try {
    const response = await fetch("/pair", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key }),
    });
    if (response.ok) return "";
    const problem = await response.json();
    return [problem.detail, problem.hint].filter(Boolean).join(" ");
  } catch {
    return "The computer is not responding. Are both on the same network?";
  }
}

/** @param {import("./page.js").LivePage} page */
export function pairingView(page) {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    page.pair(String(new FormData(form).get("key")).trim());
  };
  return html`<main class="pair-page">
    <form class="card stack" @submit=${submit}>
      <div class="row"><span class="icon large icon-smartphone" aria-hidden="true"></span></div>
      <h1>Pair this device</h1>
      <p class="quiet">Scan the code on the computer, or type its key.</p>
      <div class="field">
        <label for="key">Key</label>
        <input
          class="input"
          id="key"
          name="key"
          required
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          aria-describedby="key-hint"
          aria-invalid=${page.pairError ? "true" : "false"}
        />
        <span class="hint ${page.pairError ? "bad" : ""}" id="key-hint" role="status"
          >${page.pairError || "22 letters and digits after #k= in the address."}</span
        >
      </div>
      <button class="button primary">Pair</button>
    </form>
  </main>`;
}
