// @ts-check
// A gain that moves in straight lines, and whose value is known at any time: `AudioParam.value` is no help there, as
// Firefox (142, for one) returns the last value that was set, and not the one that a ramp has reached.

/** @typedef {{from: number, target: number, begin: number, end: number}} Line times of the context */

export class Ramp {
  /** @param {AudioParam} param */
  constructor(param) {
    this.param = param;
    /** @type {Line[]} in order of their times */
    this.lines = [{ from: param.value, target: param.value, begin: -Infinity, end: -Infinity }];
  }

  /** @param {number} time @returns {number} */
  valueAt(time) {
    const { from, target, begin, end } = this.lines.filter((line) => line.begin <= time).at(-1) ?? this.lines[0];
    if (time >= end) return target;
    return time <= begin ? from : from + ((target - from) * (time - begin)) / (end - begin);
  }

  /** Leaves for a target now, from the value that it has. @param {number} target @param {number} now @param {number} seconds */
  moveTo(target, now, seconds) {
    const from = this.valueAt(now);
    this.param.cancelScheduledValues(now);
    this.lines = [];
    this.append(seconds ? from : target, target, now, seconds);
  }

  /** Moves later on, once the lines before are through. @param {number} from @param {number} target @param {number} begin @param {number} seconds */
  append(from, target, begin, seconds) {
    this.lines.push({ from, target, begin, end: begin + seconds });
    this.param.setValueAtTime(from, begin);
    if (seconds) this.param.linearRampToValueAtTime(target, begin + seconds);
  }
}
