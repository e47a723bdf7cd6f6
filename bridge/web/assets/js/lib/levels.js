// @ts-check
// Decibels, gains and fader positions: the X32 law of stream_sep/control/levels.py.

export const SILENCE_DB = -90;
export const LOUDEST_DB = 10;

const SEGMENTS = [
  [0.5, 40, -30],
  [0.25, 80, -50],
  [0.0625, 160, -70],
  [0, 480, -90],
];

/** @param {number} position fader travel, 0 to 1 @returns {number} dB */
export function positionToDb(position) {
  const travel = Math.min(Math.max(position, 0), 1);
  const [, slope, offset] = /** @type {number[]} */ (SEGMENTS.find(([start]) => travel >= start));
  return travel * slope + offset;
}

/** @param {number} db @returns {number} fader travel, 0 to 1 */
export function dbToPosition(db) {
  const level = Math.min(Math.max(db, SILENCE_DB), LOUDEST_DB);
  const [, slope, offset] = /** @type {number[]} */ (
    SEGMENTS.find(([start, slope, offset]) => level >= start * slope + offset)
  );
  return (level - offset) / slope;
}

/** @param {number} db @returns {number} linear factor, exactly 0 at -90 dB and below */
export function dbToGain(db) {
  return db <= SILENCE_DB ? 0 : 10 ** (db / 20);
}

/** @param {number} gain @returns {number} dB, -90 at the least */
export function gainToDb(gain) {
  return gain > 0 ? Math.max(SILENCE_DB, 20 * Math.log10(gain)) : SILENCE_DB;
}

/** @param {number} db @returns {string} such as "−6.0", "+3.5", "−∞" */
export function formatDb(db) {
  if (db <= SILENCE_DB) return "−∞";
  const rounded = Math.round(db * 10) / 10;
  const digits = Math.abs(rounded).toFixed(1);
  return rounded > 0 ? `+${digits}` : rounded < 0 ? `−${digits}` : "0.0";
}

/** @param {number} db @returns {string} for a screen reader */
export function spokenDb(db) {
  return db <= SILENCE_DB ? "closed" : `${(Math.round(db * 10) / 10).toFixed(1)} dB`;
}
