// @ts-check
// Events of the server while a page is open: one WebSocket, resumed after the last event it received.

import { API } from "./api.js";
import { Reconnection } from "../lib/reconnection.js";

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
    this.enabled = false;
    this.reconnection = new Reconnection({
      isLost: () => this.enabled && !this.socket,
      connect: () => this.connect(),
      shortest: MIN_RETRY_MS,
      longest: MAX_RETRY_MS,
    });
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
    this.reconnection.cancel();
    this.drop();
    this.seq = null;
  }

  reconnectNow() {
    if (this.enabled && !this.socket) this.reconnection.now();
  }

  connect() {
    this.reconnection.cancel();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const after = this.seq === null ? "" : `?after=${this.seq}`;
    const socket = new WebSocket(`${scheme}://${location.host}${API}/events${after}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      const { seq, kind, body } = JSON.parse(event.data);
      this.reconnection.reset();
      this.seq = seq;
      if (kind === "hello") {
        if (body.reset) this.dispatchEvent(new Event("reset"));
      } else this.dispatchEvent(new CustomEvent("event", { detail: { kind, body } }));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      this.socket = null;
      if (event.code === SESSION_ENDED) this.dispatchEvent(new Event("ended"));
      else if (this.enabled) this.reconnection.later();
    });
  }
}
