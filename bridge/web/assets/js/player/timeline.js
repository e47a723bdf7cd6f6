// @ts-check
// Which part of which piece sounds at which frame of the context: integers only, so that nothing drifts or gaps.

/**
 * @typedef {object} Cursor where scheduling continues
 * @property {number} song frame of the song
 * @property {number} context frame of the audio context
 *
 * @typedef {object} Segment a stretch of one piece
 * @property {number} piece its number
 * @property {number} offset frame within the piece
 * @property {number} frames
 * @property {number} song frame of the song at its start
 * @property {number} context frame of the context at its start
 *
 * @typedef {{start: number, end: number}} Loop frames of the song; the end is the first that is not played
 */

/**
 * @param {Cursor} cursor
 * @param {{frames: number, pieceFrames: number, loop: Loop | null}} song
 * @returns {{segment: Segment, next: Cursor} | null} nothing at the end of the song
 */
export function nextSegment(cursor, { frames, pieceFrames, loop }) {
  if (cursor.song >= frames) return null;
  const piece = Math.floor(cursor.song / pieceFrames);
  const inLoop = loop !== null && cursor.song < loop.end;
  const end = Math.min((piece + 1) * pieceFrames, frames, inLoop ? loop.end : Infinity);
  const length = end - cursor.song;
  const segment = {
    piece,
    offset: cursor.song - piece * pieceFrames,
    frames: length,
    song: cursor.song,
    context: cursor.context,
  };
  const song = inLoop && end === Math.min(loop.end, frames) ? loop.start : end;
  return { segment, next: { song, context: cursor.context + length } };
}
