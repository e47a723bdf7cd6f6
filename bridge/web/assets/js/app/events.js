// @ts-check
// Events of the server while a page is open: one WebSocket, resumed after the last event it received.

import { API } from "./api.js";

const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 15000;
const SESSION_ENDED = 4401;

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
    for (const event of ["online", "pageshow"]) addEventListener(event, () => this.reconnectNow());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.reconnectNow());
  }

  open() {
    this.enabled = true;
    if (!this.socket) this.connect();
  }

  close() {
    this.enabled = false;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    this.seq = null;
  }

  reconnectNow() {
    if (this.enabled && !this.socket) this.connect();
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
      else if (this.enabled) {
        this.timer = setTimeout(() => this.connect(), this.retry * (0.75 + Math.random() / 2));
        this.retry = Math.min(this.retry * 2, MAX_RETRY_MS);
      }
    });
  }
}
