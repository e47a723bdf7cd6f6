// @ts-check
// What is drawn of a stem: its waveform from peaks, or its spectrogram from bands.

export const PEAK_FRAMES = 256;
export const COLUMN_FRAMES = 2048;
const BANDS = 128;
const TILE_COLUMNS = 512;

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
 * A spectrogram in tiles: an image holds 512 columns, made when it is first shown, so that neither memory nor the
 * largest canvas of a browser limits the length of a song.
 */
export class SpectrogramTiles {
  /**
   * @param {Uint8Array} bands rows of 128, one for every 2048 frames
   * @param {[number, number, number]} colour
   */
  constructor(bands, colour) {
    this.bands = bands;
    this.colour = colour;
    /** @type {Map<string, HTMLCanvasElement>} */
    this.tiles = new Map();
  }

  /** @param {HTMLCanvasElement} canvas @param {View} view */
  draw(canvas, view) {
    const { context, width, height } = prepared(canvas);
    context.imageSmoothingEnabled = true;
    const first = view.first / COLUMN_FRAMES;
    const columns = (view.last - view.first) / COLUMN_FRAMES;
    const stride = 2 ** Math.max(0, Math.floor(Math.log2(columns / width)));
    const span = stride * TILE_COLUMNS;
    const x = (/** @type {number} */ tile) => Math.round(((tile * span - first) / columns) * width);
    const end = Math.min(first + columns, this.bands.length / BANDS);
    const shown = new Map();
    for (let tile = Math.max(0, Math.floor(first / span)); tile * span < end; tile++) {
      const key = `${stride}/${tile}`;
      const image = this.tiles.get(key) ?? this.make(tile * span, stride);
      shown.set(key, image);
      context.drawImage(image, x(tile), 0, x(tile + 1) - x(tile), height); // whole pixels: no seams
    }
    this.tiles = shown;
  }

  /** @param {number} first column @param {number} stride columns of the song in one of the image, the loudest wins */
  make(first, stride) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [TILE_COLUMNS, BANDS];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(TILE_COLUMNS, BANDS);
    const { bands, colour } = this;
    for (let column = 0; column < TILE_COLUMNS; column++) {
      const from = (first + column * stride) * BANDS;
      const end = Math.min(from + stride * BANDS, bands.length);
      for (let band = 0; band < BANDS; band++) {
        let loudest = 0;
        for (let at = from + band; at < end; at += BANDS) loudest = Math.max(loudest, bands[at]);
        paint(image.data, ((BANDS - 1 - band) * TILE_COLUMNS + column) * 4, loudest, colour);
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
}

/**
 * @param {Uint8ClampedArray} data
 * @param {number} at of the pixel
 * @param {number} value 0 to 255
 * @param {[number, number, number]} colour
 */
function paint(data, at, value, colour) {
  const level = Math.max(0, (value / 255 - 0.25) / 0.75);
  const bright = Math.max(0, level - 0.6) / 0.4;
  for (let part = 0; part < 3; part++) data[at + part] = colour[part] + (255 - colour[part]) * bright * 0.6;
  data[at + 3] = 255 * Math.min(1, level * 1.4) ** 1.5;
}

/** @param {string} hex such as #548cc8 @returns {[number, number, number]} */
export function colourParts(hex) {
  const value = Number.parseInt(hex.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
