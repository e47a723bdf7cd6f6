// @ts-check
// Light, dark, or as the system has it.

import { html } from "lit";

/** @returns {string} */
function chosenTheme() {
  try {
    return localStorage.getItem("theme") ?? "system";
  } catch {
    return "system";
  }
}

/** @param {string} theme */
export function setTheme(theme) {
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // storage is off: nothing to keep it in
  }
  dispatchEvent(new Event("ss-theme"));
}

export function themeChoice() {
  const chosen = chosenTheme();
  return html`<div class="field">
    <label for="theme">Theme</label>
    <select
      class="input"
      id="theme"
      @change=${(/** @type {Event} */ event) => setTheme(/** @type {HTMLSelectElement} */ (event.target).value)}
    >
      ${["system", "dark", "light"].map(
        (theme) => html`<option value=${theme} ?selected=${theme === chosen}>
          ${theme === "system" ? "As the system" : theme === "dark" ? "Dark" : "Light"}
        </option>`,
      )}
    </select>
  </div>`;
}
