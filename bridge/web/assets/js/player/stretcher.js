// @ts-check
// The page's side of the worklet that changes speed and pitch; worklets need HTTPS or localhost.

/** @returns {boolean} */
export function canStretch() {
  return isSecureContext && typeof AudioWorkletNode !== "undefined";
}

export class Stretcher {
  /**
   * @param {BaseAudioContext} context
   * @param {import("./mixer.js").StemMixer} mixer
   * @param {{frames: number, pieceFrames: number}} song
   * @param {() => void} onChange called when it underruns, resumes or ends
   */
  constructor(context, mixer, { frames, pieceFrames }, onChange) {
    const stems = mixer.stems.length;
    this.node = new AudioWorkletNode(context, "stem-stretch", {
      numberOfInputs: 0,
      numberOfOutputs: stems,
      outputChannelCount: Array(stems).fill(2),
      processorOptions: { stems, frames, pieceFrames },
    });
    for (const [index, stem] of mixer.stems.entries()) this.node.connect(mixer.input(stem), index);
    this.at = 0;
    this.starving = false;
    this.ended = false;
    /** @type {Set<number>} */
    this.sent = new Set();
    this.node.port.onmessage = ({ data }) => {
      if (data.at !== undefined) this.at = data.at;
      const changed = this.starving !== Boolean(data.starving) || data.ended;
      this.starving = Boolean(data.starving);
      if (data.ended) this.ended = true;
      if (changed) onChange();
    };
  }

  /** @param {BaseAudioContext} context */
  static load(context) {
    return context.audioWorklet.addModule(new URL("./stretch_worklet.js", import.meta.url));
  }

  /** @param {number} speed @param {number} semitones */
  set(speed, semitones) {
    this.node.port.postMessage({ set: { speed, ratio: 2 ** (semitones / 12) } });
  }

  /** @param {number} frame */
  play(frame) {
    [this.at, this.ended, this.starving] = [frame, false, false];
    this.node.port.postMessage({ play: frame });
  }

  stop() {
    this.node.port.postMessage({ stop: true });
  }

  /** @param {{start: number, end: number} | null} loop */
  setLoop(loop) {
    this.node.port.postMessage({ loop });
  }

  /** Sends it the loaded pieces, and removes those that are no longer kept. @param {Map<number, AudioBuffer[]>} ready */
  feed(ready) {
    const drop = [...this.sent].filter((number) => !ready.has(number));
    for (const number of drop) this.sent.delete(number);
    if (drop.length) this.node.port.postMessage({ drop });
    for (const [number, buffers] of ready) {
      if (this.sent.has(number)) continue;
      this.sent.add(number);
      const sound = buffers.flatMap((buffer) => [0, 1].map((side) => buffer.getChannelData(side).slice()));
      const mono = new Float32Array(sound[0].length);
      for (const channel of sound) for (let i = 0; i < mono.length; i++) mono[i] += channel[i];
      const message = { piece: { number, sound, mono } };
      this.node.port.postMessage(message, [...sound.map((channel) => channel.buffer), mono.buffer]);
    }
  }
}
