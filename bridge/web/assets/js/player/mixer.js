// @ts-check
// Gains of every stem as the engine has them: fader law, mute, solo, balance, ramps of 10 ms.

import { dbToGain, gainToDb } from "../lib/levels.js";
import { Ramp } from "./ramp.js";

const RAMP_SECONDS = 0.01;
const METER_FRAMES = 2048;

/** @typedef {import("../components/strip.js").StripState} StripState */

/** @param {number} pan −1 to 1 @returns {[number, number]} the far side fades, the centre is exactly unity */
export function balance(pan) {
  return [Math.min(1, 1 - pan), Math.min(1, 1 + pan)];
}

/**
 * @param {Map<string, StripState>} strips
 * @param {string} stem
 * @returns {number} 0 when muted, or when another is soloed and it is not
 */
export function stemGain(strips, stem) {
  const strip = /** @type {StripState} */ (strips.get(stem));
  const anySolo = [...strips.values()].some((one) => one.solo);
  return strip.mute || (anySolo && !strip.solo) ? 0 : dbToGain(strip.db);
}

/** A stereo pair of gains with a meter behind each. */
class Pair {
  /** @param {BaseAudioContext} context @param {AudioNode} output @param {boolean} metered */
  constructor(context, output, metered) {
    this.context = context;
    this.input = new GainNode(context, { channelCount: 2, channelCountMode: "explicit" });
    const split = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    const merge = new ChannelMergerNode(context, { numberOfInputs: 2 });
    this.input.connect(split);
    this.gains = [0, 1].map((side) => {
      const gain = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
      split.connect(gain, side);
      gain.connect(merge, 0, side);
      return gain;
    });
    merge.connect(output);
    this.ramps = this.gains.map(({ gain }) => new Ramp(gain));
    this.meters = metered
      ? this.gains.map((gain) => {
          const meter = new AnalyserNode(context, { fftSize: METER_FRAMES, smoothingTimeConstant: 0 });
          gain.connect(meter);
          return meter;
        })
      : [];
    this.samples = new Float32Array(METER_FRAMES);
    this.targets = [1, 1];
  }

  /** @param {number[]} gains left and right @param {boolean} ramped */
  set(gains, ramped) {
    const now = this.context.currentTime;
    for (const [side, target] of gains.entries()) {
      if (this.targets[side] === target) continue;
      this.targets[side] = target;
      this.ramps[side].moveTo(target, now, ramped ? RAMP_SECONDS : 0);
    }
  }

  /** @returns {[number, number]} peaks in dBFS of the last frames */
  peaks() {
    const peaks = this.meters.map((meter) => {
      meter.getFloatTimeDomainData(this.samples);
      let peak = 0;
      for (const sample of this.samples) peak = Math.max(peak, Math.abs(sample));
      return gainToDb(peak);
    });
    return [peaks[0] ?? -90, peaks[1] ?? -90];
  }
}

export class StemMixer {
  /**
   * @param {BaseAudioContext} context
   * @param {string[]} stems
   * @param {{metered?: boolean}} [options]
   */
  constructor(context, stems, { metered = true } = {}) {
    this.stems = stems;
    const fade = new GainNode(context);
    fade.connect(context.destination);
    this.fade = new Ramp(fade.gain);
    this.master = new Pair(context, fade, metered);
    this.pairs = new Map(stems.map((stem) => [stem, new Pair(context, this.master.input, metered)]));
    /** @type {Map<string, StripState>} */
    this.strips = new Map(stems.map((stem) => [stem, { db: 0, pan: 0, mute: false, solo: false }]));
    this.masterStrip = { db: 0, mute: false };
  }

  /** @param {string} stem @returns {AudioNode} where its sound goes */
  input(stem) {
    return /** @type {Pair} */ (this.pairs.get(stem)).input;
  }

  /** @param {string} stem @param {Partial<StripState>} change @param {boolean} [ramped] */
  change(stem, change, ramped = true) {
    if (stem === "master") this.masterStrip = { ...this.masterStrip, ...change };
    else this.strips.set(stem, { .../** @type {StripState} */ (this.strips.get(stem)), ...change });
    this.apply(ramped);
  }

  /** @param {boolean} ramped */
  apply(ramped) {
    for (const [stem, pair] of this.pairs) {
      const gain = stemGain(this.strips, stem);
      pair.set(balance(/** @type {StripState} */ (this.strips.get(stem)).pan).map((side) => gain * side), ramped);
    }
    const master = this.masterStrip.mute ? 0 : dbToGain(this.masterStrip.db);
    this.master.set([master, master], ramped);
  }

  /** @param {string} stem or master @returns {[number, number]} */
  peaks(stem) {
    return (this.pairs.get(stem) ?? this.master).peaks();
  }
}
