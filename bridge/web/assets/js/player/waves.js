// @ts-check
// What is drawn of a stem: its waveform from peaks, or its spectrogram from bands.

export const PEAK_FRAMES = 256;
export const COLUMN_FRAMES = 2048;
const BANDS = 128;

/**
 * @typedef {{first: number, last: number}} View frames of the song between the left and the right edge
 * @typedef {{fill: string, quiet: string}} Colours
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}}
 */
function prepared(canvas) {
  const scale = Math.min(devicePixelRatio, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Int8Array} peaks least and greatest of every 256 frames
 * @param {View} view
 * @param {Colours} colours
 * @param {number} ready frames that can be played
 * @param {number} scale what the peaks are multiplied with
 */
export function drawWave(canvas, peaks, view, colours, ready, scale) {
  const { context, width, height } = prepared(canvas);
  const pairs = peaks.length / 2;
  const perPixel = (view.last - view.first) / PEAK_FRAMES / width;
  const middle = height / 2;
  context.fillStyle = colours.fill;
  for (let x = 0; x < width; x++) {
    const from = view.first / PEAK_FRAMES + x * perPixel;
    if (from * PEAK_FRAMES >= ready) break;
    let least = 0;
    let greatest = 0;
    const end = Math.min(Math.max(Math.ceil(from + perPixel), Math.floor(from) + 1), pairs);
    for (let pair = Math.max(0, Math.floor(from)); pair < end; pair++) {
      least = Math.min(least, peaks[2 * pair]);
      greatest = Math.max(greatest, peaks[2 * pair + 1]);
    }
    const top = middle - Math.min((greatest / 128) * scale, 1) * middle;
    const bottom = middle - Math.max((least / 128) * scale, -1) * middle;
    context.fillRect(x, top, 1, Math.max(1, bottom - top));
  }
}

/**
 * @param {Uint8Array} bands rows of 128, one for every 2048 frames
 * @param {[number, number, number]} colour
 * @returns {OffscreenCanvas | HTMLCanvasElement} a pixel a column and band
 */
export function spectrogramImage(bands, colour) {
  const columns = Math.max(1, Math.floor(bands.length / BANDS));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, BANDS];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(columns, BANDS);
  for (let column = 0; column < columns; column++) {
    for (let band = 0; band < BANDS; band++) {
      const level = Math.max(0, (bands[column * BANDS + band] / 255 - 0.25) / 0.75);
      const at = ((BANDS - 1 - band) * columns + column) * 4;
      const bright = Math.max(0, level - 0.6) / 0.4;
      for (let part = 0; part < 3; part++) image.data[at + part] = colour[part] + (255 - colour[part]) * bright * 0.6;
      image.data[at + 3] = 255 * Math.min(1, level * 1.4) ** 1.5;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {OffscreenCanvas | HTMLCanvasElement} image
 * @param {View} view
 */
export function drawSpectrogram(canvas, image, view) {
  const { context, width, height } = prepared(canvas);
  context.imageSmoothingEnabled = true;
  const first = view.first / COLUMN_FRAMES;
  const columns = (view.last - view.first) / COLUMN_FRAMES;
  context.drawImage(image, first, 0, columns, BANDS, 0, 0, width, height);
}

/** @param {string} hex such as #548cc8 @returns {[number, number, number]} */
export function colourParts(hex) {
  const value = Number.parseInt(hex.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
