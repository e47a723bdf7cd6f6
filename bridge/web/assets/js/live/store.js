// @ts-check
// The last values received from the engine, one for each address.

/** @typedef {import("../lib/osc.js").Argument} Argument */
/** @typedef {{address: string, types: string, low: number | null, high: number | null, unit: string, description: string, writable: boolean}} Node */

export class ControlStore extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Argument[]>} */
    this.values = new Map();
    /** @type {Node[]} */
    this.tree = [];
    /** @type {string[]} */
    this.stems = [];
    /** @type {Set<string>} base addresses of faders being touched */
    this.held = new Set();
  }

  /** @param {string} address @param {Argument[]} args @returns {boolean} whether the value was stored */
  receive(address, args) {
    const base = address.slice(0, address.lastIndexOf("/"));
    if (this.held.has(base) && /\/(gain|fader)$/.test(address)) return false; // a fader in use ignores echoes
    this.values.set(address, args);
    return true;
  }

  /** @param {string} address @param {number} [otherwise] @returns {number} */
  number(address, otherwise = 0) {
    const value = this.values.get(address)?.[0];
    return typeof value === "number" ? value : otherwise;
  }

  /** @param {string} address @returns {string} */
  text(address) {
    return String(this.values.get(address)?.[0] ?? "");
  }

  /** @param {string} address @returns {boolean} */
  on(address) {
    return this.number(address) > 0;
  }

  /** @param {string} address @returns {boolean} */
  has(address) {
    return this.tree.some((node) => node.address === address);
  }
}

/** @param {string} stem @returns {string} as it is written in OSC addresses */
export function safeName(stem) {
  return stem.replace(/[ #*,/?[\]{}]/g, "_");
}
