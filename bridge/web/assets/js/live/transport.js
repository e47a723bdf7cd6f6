// @ts-check
// The transport: position, seeking and loop of the song that plays.

import { html } from "lit";
import { formatTime } from "../lib/format.js";

/** @param {import("./page.js").LivePage} page @returns {number} the playing position in seconds, also between two messages */
export function songPosition(page) {
  const { store, position } = page;
  const rolls = store.on("/transport/play") && page.connection.status === "open";
  const since = rolls ? ((performance.now() - position.at) / 1000) * store.number("/transport/speed", 1) : 0;
  return Math.min(position.seconds + Math.min(since, 1), store.number("/transport/length", Infinity));
}

/** @param {import("./page.js").LivePage} page @param {number} seconds */
export function seek(page, seconds) {
  const target = Math.min(Math.max(seconds, 0), Math.max(0, page.store.number("/transport/length") - 0.1));
  page.move("/transport/seek", target);
  page.position = { seconds: target, at: performance.now() };
}

/** @param {import("./page.js").LivePage} page @param {string} label @param {string} icon @param {() => void} act @param {boolean} [pressed] */
function iconButton(page, label, icon, act, pressed) {
  return html`<button
    class="button plain icon-only"
    aria-label=${label}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)}
    ?disabled=${page.resting}
    @click=${act}
  >
    <span class="icon icon-${icon}" aria-hidden="true"></span>
  </button>`;
}

/** @param {import("./page.js").LivePage} page @param {"start" | "end"} mark */
export function setLoop(page, mark) {
  page.move(`/transport/loop/${mark}`, songPosition(page));
}

/** @param {import("./page.js").LivePage} page */
export function transportView(page) {
  const { store } = page;
  const position = songPosition(page);
  const length = store.number("/transport/length");
  const plays = store.on("/transport/play");
  const looped = store.number("/transport/loop/end") > 0;
  const tracks = store.number("/transport/tracks");
  const moved = (/** @type {Event} */ event) =>
    seek(page, Number(/** @type {HTMLInputElement} */ (event.target).value));
  return html`<section class="live-transport" aria-label="Song">
    <div class="title truncate">${store.text("/transport/title") || "Song"}</div>
    <div class="row">
      <span class="time">${formatTime(position)}</span>
      <input
        class="slider grow"
        type="range"
        min="0"
        max=${Math.max(length, 1)}
        step="1"
        .value=${String(Math.floor(position))}
        ?disabled=${page.resting}
        aria-label="Position"
        aria-valuetext="${formatTime(position)} of ${formatTime(length)}"
        @change=${moved}
      />
      <span class="time">${formatTime(length)}</span>
    </div>
    <div class="buttons">
      ${tracks > 1 ? iconButton(page, "Previous song", "skip-back", () => page.move("/transport/previous", 1)) : ""}
      ${iconButton(page, plays ? "Pause" : "Play", plays ? "pause" : "play", () => page.toggle("/transport/play"))}
      ${tracks > 1 ? iconButton(page, "Next song", "skip-forward", () => page.move("/transport/next", 1)) : ""}
      <span class="grow"></span>
      <button
        class="button plain mark"
        aria-label="Loop from here"
        ?disabled=${page.resting}
        @click=${() => setLoop(page, "start")}
      >
        A ${looped ? html`<span class="quiet small">${formatTime(store.number("/transport/loop/start"))}</span>` : ""}
      </button>
      <button
        class="button plain mark"
        aria-label="Loop to here"
        ?disabled=${page.resting}
        @click=${() => setLoop(page, "end")}
      >
        B ${looped ? html`<span class="quiet small">${formatTime(store.number("/transport/loop/end"))}</span>` : ""}
      </button>
      ${iconButton(page, "Loop", "repeat", () => page.toggle("/transport/loop/on"), store.on("/transport/loop/on"))}
    </div>
  </section>`;
}
