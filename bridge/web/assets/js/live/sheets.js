// @ts-check
// Dialogs for what does not fit beside the faders: presets, effects, and the rest.

import { html, nothing } from "lit";
import { closeSheet, sheet } from "../components/sheet.js";
import { formatName } from "../lib/format.js";
import { toast } from "../components/toast.js";
import { themeChoice } from "../components/theme.js";
import { safeName } from "./store.js";

/** @typedef {import("./page.js").LivePage} LivePage */
/** @typedef {import("./store.js").Node} Node */

/** @param {LivePage} page */
export function presetsSheet(page) {
  const names = (page.store.values.get("/preset/list") ?? []).map(String);
  const current = page.store.text("/preset/current");
  const recall = (/** @type {string} */ name) => {
    if (page.resting) return;
    page.connection.sendNow("/preset/recall", name);
    closeSheet("presets");
  };
  const store = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const name = String(new FormData(form).get("name")).trim();
    page.connection.sendNow("/preset/store", name);
    toast(`Saved as ${name}.`);
    form.reset();
  };
  const body = html`<div class="choices">
      ${names.map(
        (name) => html`<button
          class="button"
          aria-pressed=${name === current ? "true" : "false"}
          ?disabled=${page.resting}
          @click=${() => recall(name)}
        >
          <span class="truncate">${formatName(name)}</span>
        </button>`,
      )}
    </div>
    <form class="row" @submit=${store}>
      <input class="input grow" name="name" required maxlength="40" placeholder="Name" aria-label="Name of the preset" />
      <button class="button" ?disabled=${page.resting}>Save faders</button>
    </form>`;
  return sheet({ id: "presets", title: "Presets", body });
}

/** @param {LivePage} page @param {Node} node @param {string} label */
function setting(page, node, label) {
  const value = page.store.number(node.address);
  if (node.types === "i") {
    return html`<label class="switch">
      <input
        type="checkbox"
        role="switch"
        .checked=${value > 0}
        ?disabled=${page.resting}
        @change=${() => page.toggle(node.address)}
      /><span>${label}</span>
    </label>`;
  }
  const bounded = node.low !== null && node.high !== null && node.high - node.low < 1e8;
  const moved = (/** @type {Event} */ event) =>
    page.move(node.address, Number(/** @type {HTMLInputElement} */ (event.target).value));
  const shown = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
  return html`<div class="setting">
    <span>${label}</span><output class="numbers">${shown} <span class="quiet">${node.unit}</span></output>
    ${bounded
      ? html`<input
          class="slider"
          type="range"
          min=${node.low}
          max=${node.high}
          step="any"
          .value=${String(value)}
          ?disabled=${page.resting}
          aria-label=${label}
          @input=${moved}
        />`
      : html`<input class="input" type="number" step="any" .value=${shown} aria-label=${label} @change=${moved} />`}
  </div>`;
}

/** @param {LivePage} page @param {string} stem */
function effectsOf(page, stem) {
  const start = `/stem/${safeName(stem)}/chain/`;
  const nodes = page.store.tree.filter((node) => node.address.startsWith(start) && node.writable && node.types !== "s");
  const numbers = [...new Set(nodes.map((node) => node.address.slice(start.length).split("/")[0]))];
  const effects = numbers.filter((number) => number !== "bypass");
  if (!effects.length) return nothing;
  const whole = nodes.find((node) => node.address === `${start}bypass`);
  return html`<section>
    <h3 class="row" data-stem=${stem}>${formatName(stem)}</h3>
    ${whole ? setting(page, whole, "Bypass the whole chain") : nothing}
    ${effects.map(
      (number) => html`<div class="effect" role="group" aria-label="Effect ${number} of ${stem}">
        <div class="quiet small">Effect ${number}</div>
        ${nodes
          .filter((node) => node.address.startsWith(`${start}${number}/`))
          .map((node) => setting(page, node, formatName(node.address.split("/").at(-1) ?? "")))}
      </div>`,
    )}
  </section>`;
}

/** @param {LivePage} page */
export function effectsSheet(page) {
  return sheet({ id: "effects", title: "Effects", body: page.store.stems.map((stem) => effectsOf(page, stem)) });
}

const SETTINGS = {
  "/karaoke": "Karaoke: how much of the vocals goes",
  "/master/limiter": "Limiter",
  "/transport/speed": "Speed",
  "/transport/pitch": "Pitch",
  "/ramp_ms": "Fader ramp",
};
const FACTS = {
  "/engine/device": "Device",
  "/engine/model": "Model",
  "/engine/state": "Engine",
  "/engine/late_hops": "Late hops",
  "/engine/xruns": "Xruns",
  "/engine/restarts": "Restarts",
};

/** @param {LivePage} page */
export function moreSheet(page) {
  const { store } = page;
  const nodes = Object.entries(SETTINGS).flatMap(([address, label]) => {
    const node = store.tree.find((one) => one.address === address);
    return node ? [setting(page, node, label)] : [];
  });
  const latency = store.values.get("/engine/latency");
  const facts = Object.entries(FACTS).filter(([address]) => store.values.has(address));
  const body = html`${nodes}
    <h3>Engine</h3>
    <dl class="facts-list">
      ${facts.map(([address, label]) => html`<dt>${label}</dt><dd>${String(store.values.get(address)?.[0] || "–")}</dd>`)}
      ${latency ? html`<dt>Latency</dt><dd>${Number(latency[0]).toFixed(1)} ms, ${latency[1]} frames</dd>` : nothing}
      ${store.values.has("/engine/load")
        ? html`<dt>Load</dt><dd>${(store.number("/engine/load") * 100).toFixed(0)} %</dd>`
        : nothing}
    </dl>
    <h3>Connected</h3>
    <ul>
      ${page.peers.map(
        (peer, place) => html`<li class="row">
          <span class="icon small icon-${peer.role === "view" ? "eye" : "sliders-horizontal"}" aria-hidden="true"></span>
          ${peer.name}${place === page.you ? html` <span class="quiet">(this one)</span>` : nothing}
          <span class="visually-hidden">${peer.role === "view" ? "can look" : "can move faders"}</span>
        </li>`,
      )}
    </ul>
    ${themeChoice()}`;
  return sheet({ id: "more", title: "More", body });
}
