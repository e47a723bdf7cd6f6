// @ts-check
// How a song is separated: model, stems and quality, with what they cost.

import { html, nothing } from "lit";
import { app } from "./state.js";
import { formatName, formatTime } from "../lib/format.js";

const EXAMPLE_SECONDS = 240;
/** @type {[number, string][]} */
const QUALITIES = [
  [1, "Normal"],
  [2, "Finer, twice the time"],
  [5, "Finest, five times the time"],
];

/**
 * @typedef {{model?: string, stems?: string[], shifts?: number}} Settings as the API takes them
 */

/** @param {Settings} settings @returns {any} the chosen model, of those that the server has */
function modelOf(settings) {
  const { models, default_model: usual } = app.server;
  return models.find((/** @type {any} */ one) => one.name === (settings.model ?? usual)) ?? models[0];
}

/**
 * @param {Settings} settings
 * @param {(settings: Settings) => void} change
 * @param {string} prefix of the fields' ids
 */
export function separationFields(settings, change, prefix) {
  const model = modelOf(settings);
  if (!model) return nothing;
  return html`${modelField(model, settings, change, prefix)} ${stemsField(model, settings, change)}
  ${model.passes ? qualityField(settings, change, prefix) : nothing}`;
}

/** @param {any} model @param {Settings} settings */
function costText(model, settings) {
  if (!model.speed) return "The first song shows how long it takes here.";
  const seconds = (EXAMPLE_SECONDS / model.speed) * (settings.shifts ?? 1);
  return `A song of ${formatTime(EXAMPLE_SECONDS)} takes about ${formatTime(seconds)} here.`;
}

/** @param {any} model @param {Settings} settings @param {(settings: Settings) => void} change @param {string} prefix */
function modelField(model, settings, change, prefix) {
  const pick = (/** @type {Event} */ event) => change({ model: /** @type {HTMLSelectElement} */ (event.target).value });
  return html`<div class="field">
    <label for="${prefix}-model">Model</label>
    <select class="input" id="${prefix}-model" aria-describedby="${prefix}-hint" @change=${pick}>
      ${app.server.models.map(
        (/** @type {any} */ one) => html`<option value=${one.name} .selected=${one === model} ?disabled=${!one.available}>
          ${one.title}${one.available ? "" : ` – ${one.reason}`}
        </option>`,
      )}
    </select>
    <span class="hint" id="${prefix}-hint">${model.description} ${costText(model, settings)}</span>
  </div>`;
}

/** @param {any} model @param {Settings} settings @param {(settings: Settings) => void} change */
function stemsField(model, settings, change) {
  if (model.stems.length < 2) return nothing;
  const chosen = settings.stems ?? model.stems;
  const flip = (/** @type {Event} */ event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    const stems = model.stems.filter((/** @type {string} */ one) => (one === box.value) !== chosen.includes(one));
    if (stems.length) change({ ...settings, stems: stems.length === model.stems.length ? undefined : stems });
    else box.checked = true; // at least one
  };
  return html`<fieldset class="field">
    <legend class="label">Stems</legend>
    <div class="row wrap">
      ${model.stems.map(
        (/** @type {string} */ stem) => html`<label class="check">
          <input type="checkbox" value=${stem} .checked=${chosen.includes(stem)} @change=${flip} />${formatName(stem)}
        </label>`,
      )}
    </div>
  </fieldset>`;
}

/** @param {Settings} settings @param {(settings: Settings) => void} change @param {string} prefix */
function qualityField(settings, change, prefix) {
  const pick = (/** @type {Event} */ event) =>
    change({ ...settings, shifts: Number(/** @type {HTMLSelectElement} */ (event.target).value) });
  return html`<div class="field">
    <label for="${prefix}-quality">Quality</label>
    <select class="input" id="${prefix}-quality" @change=${pick}>
      ${QUALITIES.map(([shifts, label]) => html`<option value=${shifts} .selected=${shifts === (settings.shifts ?? 1)}>${label}</option>`)}
    </select>
  </div>`;
}
