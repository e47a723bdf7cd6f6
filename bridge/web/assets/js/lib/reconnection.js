// @ts-check
// Opens a lost WebSocket again, after pauses that grow, and once the server answers. After failed WebSockets Firefox holds
// back the next one, for up to a minute, and a page would not notice for as long that the server is back. Failed requests
// hold nothing back.

const TIMEOUT_MS = 5000;

export class Reconnection {
  /**
   * @param {{isLost: () => boolean, connect: () => void, shortest: number, longest: number}} settings whether a socket is
   *   wanted and there is none; opens one; milliseconds of the first pause and of the longest
   */
  constructor({ isLost, connect, shortest, longest }) {
    this.isLost = isLost;
    this.connect = connect;
    this.shortest = shortest;
    this.longest = longest;
    this.pause = shortest;
    this.timer = 0;
    this.probing = false;
  }

  /** Begins with the shortest pause again: the connection works. */
  reset() {
    this.pause = this.shortest;
  }

  cancel() {
    clearTimeout(this.timer);
  }

  later() {
    this.cancel();
    this.timer = setTimeout(() => this.now(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, this.longest);
  }

  /** Connects once the server answers. */
  async now() {
    if (this.probing) return;
    this.cancel();
    this.probing = true;
    const answered = await answers("/");
    this.probing = false;
    if (!this.isLost()) return;
    if (answered) this.connect();
    else this.later();
  }
}

/** @param {string} url @returns {Promise<boolean>} */
async function answers(url) {
  const request = { method: "HEAD", cache: /** @type {RequestCache} */ ("no-store"), signal: AbortSignal.timeout(TIMEOUT_MS) };
  return fetch(url, request).then(({ status }) => status < 500, () => false); // a proxy's 502 is no server
}
