// @ts-check
// OSC 1.0 as bytes: messages of floats, integers and texts; bundles are read.

/** @typedef {number | string | boolean} Argument */
/** @typedef {{address: string, args: Argument[]}} Message */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {string} text @returns {Uint8Array} null-terminated, padded to four */
function padded(text) {
  const bytes = encoder.encode(text);
  const whole = new Uint8Array((Math.floor(bytes.length / 4) + 1) * 4);
  whole.set(bytes);
  return whole;
}

/**
 * Numbers go as floats, which every address takes; texts as strings.
 * @param {string} address
 * @param {...(number | string)} args
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeMessage(address, ...args) {
  const parts = [padded(address), padded("," + args.map((one) => (typeof one === "string" ? "s" : "f")).join(""))];
  for (const one of args) {
    if (typeof one === "string") {
      parts.push(padded(one));
    } else {
      const number = new DataView(new ArrayBuffer(4));
      number.setFloat32(0, one);
      parts.push(new Uint8Array(number.buffer));
    }
  }
  const message = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    message.set(part, offset);
    offset += part.length;
  }
  return message;
}

/**
 * @param {ArrayBuffer | Uint8Array} packet
 * @returns {Message[]}
 * @throws {RangeError} the bytes are not OSC
 */
export function readPacket(packet) {
  const bytes = packet instanceof Uint8Array ? packet : new Uint8Array(packet);
  if (bytes[0] !== 0x23) return [readMessage(bytes)];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages = [];
  for (let offset = 16; offset < bytes.length; ) {
    const size = view.getInt32(offset);
    if (size <= 0) throw new RangeError(`a bundle has an element of ${size} bytes`);
    messages.push(...readPacket(bytes.subarray(offset + 4, offset + 4 + size)));
    offset += 4 + size;
  }
  return messages;
}

/** @param {Uint8Array} bytes @returns {Message} */
function readMessage(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  const text = () => {
    const end = bytes.indexOf(0, offset);
    if (end < 0) throw new RangeError("a string has no terminating null");
    const found = decoder.decode(bytes.subarray(offset, end));
    offset = (Math.floor(end / 4) + 1) * 4;
    return found;
  };
  const address = text();
  const tags = offset < bytes.length ? text() : ",";
  /** @type {Argument[]} */
  const args = [];
  for (const tag of tags.slice(1)) {
    if (tag === "s") args.push(text());
    else if (tag === "T" || tag === "F") args.push(tag === "T");
    else if (tag === "i" || tag === "f") {
      args.push(tag === "i" ? view.getInt32(offset) : view.getFloat32(offset));
      offset += 4;
    } else if (tag === "d") {
      args.push(view.getFloat64(offset));
      offset += 8;
    } else throw new RangeError(`the OSC type ${tag} is unknown`);
  }
  return { address, args };
}
