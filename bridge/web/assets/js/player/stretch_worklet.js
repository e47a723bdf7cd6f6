// @ts-nocheck: the globals of a worklet have no types
// Plays pieces at another speed or pitch: WSOLA (Verhelst and Roelands, 1993), all stems cut at the same places.
// The cut is searched in their sum, so that stems stay aligned; a resampler after it shifts the pitch.

const GRAIN = 2048;
const HOP = GRAIN / 2;
const SEARCH = 512;
const COARSE = 8; // frames between candidates, and between the samples that are compared
const TELL_BLOCKS = 8;

class StemStretch extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    Object.assign(this, processorOptions); // stems, frames, pieceFrames
    this.channels = 2 * this.stems;
    this.pieces = new Map();
    this.window = Float32Array.from({ length: GRAIN }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / GRAIN));
    this.tempo = 1;
    this.ratio = 1;
    this.loop = null;
    this.playing = false;
    this.blocks = 0;
    this.jump(0);
    this.port.onmessage = ({ data }) => this.handle(data);
  }

  handle({ piece, drop, set, play, stop, loop }) {
    if (piece) this.pieces.set(piece.number, piece);
    if (drop) for (const number of drop) this.pieces.delete(number);
    if (set) [this.ratio, this.tempo] = [set.ratio, set.speed / set.ratio];
    if (loop !== undefined) this.loop = loop;
    if (play !== undefined) {
      this.jump(play);
      this.playing = true;
    }
    if (stop) this.playing = false;
  }

  jump(frame) {
    this.at = frame; // of the song, where the next grain ideally begins
    this.continued = null; // where the previous grain would continue
    this.sum = Array.from({ length: this.channels }, () => new Float32Array(GRAIN));
    this.made = Array.from({ length: this.channels }, () => new Float32Array(HOP + 1));
    this.read = HOP; // nothing made yet
  }

  fold(frame) {
    if (!this.loop || this.at >= this.loop.end || frame < this.loop.end) return frame;
    return this.loop.start + ((frame - this.loop.start) % (this.loop.end - this.loop.start));
  }

  mono(frame) {
    const folded = this.fold(Math.max(0, frame));
    const piece = this.pieces.get(Math.floor(folded / this.pieceFrames));
    return piece ? (piece.mono[folded % this.pieceFrames] ?? 0) : 0;
  }

  has(frame) {
    for (const edge of [frame - SEARCH, frame + SEARCH + GRAIN]) {
      const folded = Math.min(Math.max(this.fold(Math.max(edge, 0)), 0), this.frames - 1);
      if (!this.pieces.has(Math.floor(folded / this.pieceFrames))) return false;
    }
    return true;
  }

  best(ideal) {
    if (this.continued === null) return ideal;
    let [found, greatest] = [0, -Infinity];
    for (let shift = -SEARCH; shift <= SEARCH; shift += COARSE) {
      let product = 0;
      let energy = 1e-9;
      for (let i = 0; i < HOP; i += COARSE) {
        const candidate = this.mono(ideal + shift + i);
        product += candidate * this.mono(this.continued + i);
        energy += candidate * candidate;
      }
      const likeness = product / Math.sqrt(energy);
      if (likeness > greatest) [found, greatest] = [shift, likeness];
    }
    return ideal + found;
  }

  /** Makes HOP frames more; false where a piece is missing or the song has ended. */
  make() {
    const ideal = Math.round(this.at);
    if (!this.has(ideal)) return false;
    const begin = Math.max(0, this.best(ideal));
    for (let channel = 0; channel < this.channels; channel++) {
      const sum = this.sum[channel];
      for (let i = 0; i < GRAIN; i++) {
        const frame = this.fold(begin + i);
        const piece = this.pieces.get(Math.floor(frame / this.pieceFrames));
        if (piece) sum[i] += this.window[i] * (piece.sound[channel][frame % this.pieceFrames] ?? 0);
      }
      const made = this.made[channel];
      made[0] = made[HOP];
      made.set(sum.subarray(0, HOP), 1);
      sum.copyWithin(0, HOP);
      sum.fill(0, HOP);
    }
    this.continued = this.fold(begin + HOP);
    this.at = this.fold(this.at + HOP * this.tempo);
    this.read -= HOP;
    return true;
  }

  process(_, outputs) {
    if (this.playing) this.render(outputs);
    if (++this.blocks % TELL_BLOCKS === 0 && this.playing) this.port.postMessage({ at: this.at, starving: this.starving });
    return true;
  }

  render(outputs) {
    const length = outputs[0][0].length;
    this.starving = false;
    for (let i = 0; i < length; i++) {
      while (this.read >= HOP) {
        if (this.at >= this.frames) {
          this.playing = false;
          this.port.postMessage({ ended: true });
          return;
        }
        if (!this.make()) {
          this.starving = true;
          return;
        }
      }
      const first = Math.floor(this.read);
      const share = this.read - first;
      for (let channel = 0; channel < this.channels; channel++) {
        const made = this.made[channel];
        outputs[channel >> 1][channel & 1][i] = made[first] + share * (made[first + 1] - made[first]);
      }
      this.read += this.ratio;
    }
  }
}

registerProcessor("stem-stretch", StemStretch);
