// @ts-check
// Keyboard shortcuts of the player, the same as in the terminal mixer.

import { LOUDEST_DB, SILENCE_DB } from "../lib/levels.js";

/** @typedef {import("./view.js").PlayerView} View */

/** @param {View} view @returns {string} */
function chosen(view) {
  return [...view.song.stems, "master"][view.chosen] ?? "master";
}

/** @param {View} view @param {number} step */
function choose(view, step) {
  const count = view.song.stems.length + 1;
  view.chosen = view.chosen < 0 ? 0 : (view.chosen + step + count) % count;
}

/** @param {View} view @param {number} change dB */
function nudge(view, change) {
  const stem = chosen(view);
  view.change(stem, { db: Math.min(Math.max(view.strip(stem).db + change, SILENCE_DB), LOUDEST_DB) });
}

/** @param {View} view @param {string} stem @param {"mute" | "solo"} control */
function flip(view, stem, control) {
  if (control === "mute" || stem !== "master") view.change(stem, { [control]: !view.strip(stem)[control] });
}

/** @type {Record<string, (view: View) => void>} */
const KEYS = {
  " ": (view) => view.toggle(),
  ",": (view) => view.skip(-5),
  ".": (view) => view.skip(5),
  "<": (view) => view.skip(-30),
  ">": (view) => view.skip(30),
  "[": (view) => view.mark("start"),
  "]": (view) => view.mark("end"),
  l: (view) => view.toggleLoop(),
  ArrowLeft: (view) => choose(view, -1),
  ArrowRight: (view) => choose(view, 1),
  ArrowUp: (view) => nudge(view, 1),
  ArrowDown: (view) => nudge(view, -1),
  0: (view) => view.change(chosen(view), { db: 0 }),
  m: (view) => flip(view, chosen(view), "mute"),
  s: (view) => flip(view, chosen(view), "solo"),
  "-": (view) => view.setTempo(view.speed - 0.05, view.pitch),
  "+": (view) => view.setTempo(view.speed + 0.05, view.pitch),
  d: (view) => view.setTempo(view.speed, view.pitch - 1),
  u: (view) => view.setTempo(view.speed, view.pitch + 1),
  k: (view) => view.song.stems.includes("vocals") && flip(view, "vocals", "mute"),
};

/** @param {View} view @param {KeyboardEvent} event */
export function onPlayerKey(view, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { target } = event;
  if (target instanceof Element && target.closest("input, select, textarea, dialog, [contenteditable]")) return;
  if (event.key === " " && target instanceof Element && target.closest("button, a")) return;
  const number = Number(event.key);
  const stem = number >= 1 ? view.song.stems[number - 1] : undefined;
  const act = stem ? () => flip(view, stem, "mute") : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act(view);
}
