// @ts-check
// The audio graph of one song: context, mixer, pieces and player, made when playback is first requested.

import { StemMixer } from "./mixer.js";
import { Pieces } from "./pieces.js";
import { Player } from "./player.js";

const RATES = [44100, 48000];

/**
 * @typedef {object} Song
 * @property {string[]} stems
 * @property {number} sample_rate
 * @property {number} frames
 * @property {number} piece_frames
 * @property {string} stems_version
 */

/**
 * @param {string} base address of the song's pieces
 * @param {Song} song
 */
export function openStage(base, song) {
  if ("audioSession" in navigator) /** @type {any} */ (navigator).audioSession.type = "playback"; // past the ring switch
  let context = new AudioContext({ sampleRate: song.sample_rate, latencyHint: "playback" });
  let suffix = `?v=${song.stems_version}`; // another version is not in the browser's cache
  if (context.sampleRate !== song.sample_rate) {
    context.close();
    context = new AudioContext({ sampleRate: RATES[1], latencyHint: "playback" });
    suffix += `&rate=${context.sampleRate}`;
  }
  const scale = context.sampleRate / song.sample_rate;
  const mixer = new StemMixer(context, song.stems);
  const pieces = new Pieces(context, (number) => `${base}/pieces/${number}${suffix}`);
  const player = new Player({
    context,
    mixer,
    pieces,
    frames: Math.ceil(song.frames * scale),
    pieceFrames: Math.round(song.piece_frames * scale),
  });
  return { context, mixer, pieces, player, close: () => close(context, player) };
}

/** @param {AudioContext} context @param {Player} player */
function close(context, player) {
  player.pause();
  player.pieces.request([]);
  context.close();
}
