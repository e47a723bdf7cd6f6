// @ts-check
// Pieces of all stems: fetched a few at a time, decoded, and dropped when they are far away.

const MAX_PARALLEL = 2;
const RETRY_MS = 1000;
const REFUSED_MS = 5000;

/**
 * Splits the server's frames: each blob follows its length, 32 bits, little-endian.
 * @param {ArrayBuffer} body
 * @returns {Uint8Array[]} views, no copies
 */
export function viewBlobs(body) {
  const view = new DataView(body);
  const blobs = [];
  for (let at = 0; at < body.byteLength; ) {
    const length = view.getUint32(at, true);
    blobs.push(new Uint8Array(body, at + 4, length));
    at += 4 + length;
  }
  return blobs;
}

/** @param {ArrayBuffer} body @returns {ArrayBuffer[]} copies, which a decoder may take */
export function splitBlobs(body) {
  return viewBlobs(body).map((blob) => body.slice(blob.byteOffset, blob.byteOffset + blob.length));
}

/**
 * @fires piece with detail: the number of a piece that can be played now
 * @fires waiting with detail: the number of a piece that is not separated yet
 * @fires failed with detail: a message
 */
export class Pieces extends EventTarget {
  /**
   * @param {BaseAudioContext} context decodes
   * @param {(number: number) => string} url
   * @param {typeof fetch} [fetcher]
   */
  constructor(context, url, fetcher = (...request) => fetch(...request)) {
    super();
    this.context = context;
    this.url = url;
    this.fetcher = fetcher;
    /** @type {Map<number, AudioBuffer[]>} */
    this.ready = new Map();
    /** @type {Map<number, AbortController>} */
    this.loading = new Map();
    /** @type {number[]} */
    this.requested = [];
    /** @type {Set<number>} */
    this.backingOff = new Set(); // requested too early, or failed a moment ago: no request for now
  }

  /** @param {number} number @returns {AudioBuffer[] | undefined} one a stem */
  get(number) {
    return this.ready.get(number);
  }

  /** Loads these, the first first, and drops all others. @param {number[]} numbers */
  request(numbers) {
    const kept = new Set(numbers);
    this.requested = numbers;
    for (const number of [...this.ready.keys()]) if (!kept.has(number)) this.ready.delete(number);
    for (const [number, abort] of this.loading) if (!kept.has(number)) abort.abort();
    this.pump();
  }

  pump() {
    for (const number of this.requested) {
      if (this.loading.size >= MAX_PARALLEL) return;
      if (!this.ready.has(number) && !this.loading.has(number) && !this.backingOff.has(number)) this.load(number);
    }
  }

  /** Retries the missing pieces at once. */
  retryNow() {
    this.backingOff.clear();
    this.pump();
  }

  /** @param {number} number */
  async load(number) {
    const abort = new AbortController();
    this.loading.set(number, abort);
    try {
      const response = await this.fetcher(this.url(number), { signal: abort.signal, credentials: "same-origin" });
      if (!response.ok) await this.refuse(number, response);
      else {
        const blobs = splitBlobs(await response.arrayBuffer());
        const buffers = await Promise.all(blobs.map((blob) => this.context.decodeAudioData(blob)));
        if (!abort.signal.aborted) {
          this.ready.set(number, buffers);
          this.dispatchEvent(new CustomEvent("piece", { detail: number }));
        }
      }
    } catch {
      if (!abort.signal.aborted) this.rest(number, "failed", "The connection broke. Trying again …");
    } finally {
      this.loading.delete(number);
      this.pump();
    }
  }

  /** @param {number} number @param {Response} response of a piece that is not there yet, or no more */
  async refuse(number, response) {
    const { code, detail } = await response.json().catch(() => ({}));
    const wait = 1000 * (Number(response.headers.get("Retry-After")) || 0);
    if (code === "not-ready") this.rest(number, "waiting", number, wait || RETRY_MS);
    else this.rest(number, "failed", detail ?? `The server returned ${response.status}.`, wait || REFUSED_MS);
  }

  /** @param {number} number @param {string} event @param {unknown} detail @param {number} [wait] ms until the next request */
  rest(number, event, detail, wait = RETRY_MS) {
    this.backingOff.add(number);
    setTimeout(() => {
      this.backingOff.delete(number);
      this.pump();
    }, wait);
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
