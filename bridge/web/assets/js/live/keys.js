// @ts-check
// Keyboard shortcuts, the same as in the terminal mixer.

import { LOUDEST_DB, SILENCE_DB } from "../lib/levels.js";
import { seek, setLoop, songPosition } from "./transport.js";

/** @param {import("./page.js").LivePage} page @param {number} change dB */
function nudge(page, change) {
  const address = `${page.bases()[page.chosen] ?? "/master"}/gain`;
  const db = page.store.number(address) + change;
  page.move(address, Math.min(Math.max(db, SILENCE_DB), LOUDEST_DB));
}

/** @type {Record<string, (page: import("./page.js").LivePage) => void>} */
const KEYS = {
  ArrowLeft: (page) => choose(page, -1),
  ArrowRight: (page) => choose(page, 1),
  ArrowUp: (page) => nudge(page, 1),
  ArrowDown: (page) => nudge(page, -1),
  PageUp: (page) => nudge(page, 6),
  PageDown: (page) => nudge(page, -6),
  0: (page) => page.move(`${page.bases()[page.chosen] ?? "/master"}/gain`, 0),
  m: (page) => page.toggle(`${page.bases()[page.chosen] ?? "/master"}/mute`),
  s: (page) => page.bases()[page.chosen] !== "/master" && page.toggle(`${page.bases()[page.chosen]}/solo`),
  k: (page) => page.store.has("/karaoke") && page.toggle("/karaoke"),
  b: (page) => page.toggle("/bypass"),
};

/** @type {Record<string, (page: import("./page.js").LivePage) => void>} */
const SONG_KEYS = {
  " ": (page) => page.toggle("/transport/play"),
  ",": (page) => seek(page, songPosition(page) - 5),
  ".": (page) => seek(page, songPosition(page) + 5),
  "<": (page) => seek(page, songPosition(page) - 30),
  ">": (page) => seek(page, songPosition(page) + 30),
  "[": (page) => setLoop(page, "start"),
  "]": (page) => setLoop(page, "end"),
  l: (page) => page.toggle("/transport/loop/on"),
  n: (page) => page.move("/transport/next", 1),
  N: (page) => page.move("/transport/previous", 1),
  "-": (page) => page.move("/transport/speed", Math.max(0.5, page.store.number("/transport/speed", 1) - 0.05)),
  "+": (page) => page.move("/transport/speed", Math.min(2, page.store.number("/transport/speed", 1) + 0.05)),
  d: (page) => page.move("/transport/pitch", Math.max(-12, page.store.number("/transport/pitch") - 1)),
  u: (page) => page.move("/transport/pitch", Math.min(12, page.store.number("/transport/pitch") + 1)),
};

/** @param {import("./page.js").LivePage} page @param {number} step */
function choose(page, step) {
  const count = page.bases().length;
  page.chosen = page.chosen < 0 ? 0 : (page.chosen + step + count) % count;
}

/** @param {EventTarget | null} target @returns {boolean} whether the focused element handles keys itself */
function takesKeys(target) {
  return target instanceof Element && target.closest("input, select, textarea, dialog") !== null;
}

/** @param {import("./page.js").LivePage} page @param {KeyboardEvent} event */
export function onKey(page, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target)) return;
  if (event.key === " " && event.target instanceof HTMLButtonElement) return;
  const act = KEYS[event.key] ?? (page.store.has("/transport/position") ? SONG_KEYS[event.key] : undefined);
  if (!act) return;
  event.preventDefault();
  act(page);
}
