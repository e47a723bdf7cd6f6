// @ts-check
// Events of the server while a page is open: one WebSocket, resumed after the last event it received.

import { API } from "./api.js";
import { answers } from "../lib/reach.js";

const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 15000;
const SESSION_ENDED = 4401;
const HIDDEN_MS = 20000; // a phone may cut the connection of a page that is hidden for longer, without a word

/**
 * @fires event with detail `{kind, body}`
 * @fires reset events were missed; lists have to be loaded again
 * @fires ended the session is over
 */
export class Events extends EventTarget {
  constructor() {
    super();
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {number | null} */
    this.seq = null;
    this.retry = MIN_RETRY_MS;
    this.enabled = false;
    this.timer = 0;
    this.probing = false;
    this.hiddenAt = Infinity;
    for (const event of ["online", "pageshow"]) addEventListener(event, () => this.reconnectNow());
    document.addEventListener("visibilitychange", () => this.visibility());
  }

  visibility() {
    if (document.visibilityState === "hidden") this.hiddenAt = performance.now();
    else {
      const stale = performance.now() - this.hiddenAt > HIDDEN_MS;
      this.hiddenAt = Infinity;
      if (stale) this.drop();
      this.reconnectNow();
    }
  }

  /** Gives up the socket; the next one sends what this one has not. */
  drop() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  open() {
    this.enabled = true;
    if (!this.socket) this.connect();
  }

  close() {
    this.enabled = false;
    clearTimeout(this.timer);
    this.drop();
    this.seq = null;
  }

  reconnectNow() {
    if (this.enabled && !this.socket) this.reconnect();
  }

  retryLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reconnect(), this.retry * (0.75 + Math.random() / 2));
    this.retry = Math.min(this.retry * 2, MAX_RETRY_MS);
  }

  /** Connects once the server answers. */
  async reconnect() {
    if (this.probing) return;
    clearTimeout(this.timer);
    this.probing = true;
    const answered = await answers("/");
    this.probing = false;
    if (!this.enabled || this.socket) return;
    if (answered) this.connect();
    else this.retryLater();
  }

  connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const after = this.seq === null ? "" : `?after=${this.seq}`;
    const socket = new WebSocket(`${scheme}://${location.host}${API}/events${after}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      const { seq, kind, body } = JSON.parse(event.data);
      this.retry = MIN_RETRY_MS;
      this.seq = seq;
      if (kind === "hello") {
        if (body.reset) this.dispatchEvent(new Event("reset"));
      } else this.dispatchEvent(new CustomEvent("event", { detail: { kind, body } }));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      this.socket = null;
      if (event.code === SESSION_ENDED) this.dispatchEvent(new Event("ended"));
      else if (this.enabled) this.retryLater();
    });
  }
}
