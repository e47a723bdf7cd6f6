// @ts-check
// The WebSocket to the engine: reconnects automatically, and drops moves made while it was disconnected.

import { readPacket, writeMessage } from "../lib/osc.js";
import { Reconnection } from "../lib/reconnection.js";

const PING_MS = 3000;
const SILENCE_TIMEOUT_MS = 6000;
const CONNECT_TIMEOUT_MS = 5000;
const MIN_RETRY_MS = 250;
const MAX_RETRY_MS = 4000;
const NOT_PAIRED = 4401;

/** @typedef {"connecting" | "open" | "lost" | "unpaired"} Status */

/**
 * @fires status the status has changed
 * @fires text with detail: a JSON object from the server
 * @fires message with detail: an OSC message
 */
export class LiveConnection extends EventTarget {
  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    /** @type {Status} */
    this.status = "connecting";
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Map<string, (number | string)[]>} the newest value of each address, until the next frame */
    this.pending = new Map();
    this.frame = 0;
    this.lastReceived = 0;
    this.reconnection = new Reconnection({
      isLost: () => this.status === "lost" && !this.socket,
      connect: () => this.connect(),
      shortest: MIN_RETRY_MS,
      longest: MAX_RETRY_MS,
    });
    setInterval(() => this.ping(), PING_MS);
    document.addEventListener("visibilitychange", () => this.visibility());
    for (const event of ["pageshow", "online"]) addEventListener(event, () => this.reconnectNow());
  }

  /** Connects, at once. */
  connect() {
    this.reconnection.cancel();
    this.socket?.close();
    const socket = new WebSocket(this.url, ["osc"]);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    const timeout = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.onLost(socket, 0), CONNECT_TIMEOUT_MS);
    socket.addEventListener("message", (event) => {
      clearTimeout(timeout);
      if (socket === this.socket) this.receive(event.data);
    });
    socket.addEventListener("close", (event) => {
      clearTimeout(timeout);
      this.onLost(socket, event.code);
    });
  }

  /** @param {string | ArrayBuffer} data */
  receive(data) {
    this.lastReceived = performance.now();
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.hello) {
        this.reconnection.reset();
        this.dispatchEvent(new CustomEvent("text", { detail: message }));
        this.setStatus("open");
        this.visibility();
      } else this.dispatchEvent(new CustomEvent("text", { detail: message }));
      return;
    }
    for (const message of readPacket(data)) this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /** @param {WebSocket} socket @param {number} code */
  onLost(socket, code) {
    if (socket !== this.socket) return;
    this.socket = null;
    socket.close();
    this.pending.clear(); // moves made now are not sent later
    if (code === NOT_PAIRED) {
      this.setStatus("unpaired");
      return;
    }
    this.setStatus("lost");
    this.reconnection.later();
  }

  /** @param {Status} status */
  setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }

  /** Connects now if a reconnection is pending. */
  reconnectNow() {
    if (this.status === "lost" && !this.socket && document.visibilityState === "visible") this.reconnection.now();
    else this.ping();
  }

  visibility() {
    const visible = document.visibilityState === "visible";
    if (visible) this.reconnectNow();
    else this.flush();
    if (this.status === "open") this.socket?.send(JSON.stringify({ meters: visible }));
  }

  ping() {
    if (this.status !== "open" || !this.socket) return;
    if (performance.now() - this.lastReceived > SILENCE_TIMEOUT_MS && document.visibilityState === "visible") {
      this.onLost(this.socket, 0);
      return;
    }
    this.socket.send(writeMessage("/ping"));
  }

  /**
   * Sends a value with the next frame, unless a newer one of the same address comes first.
   * @param {string} address
   * @param {...(number | string)} args
   */
  send(address, ...args) {
    if (this.status !== "open") return;
    this.pending.set(address, args);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.flush());
  }

  /** Sends now, after all pending values. @param {string} address @param {...(number | string)} args */
  sendNow(address, ...args) {
    this.flush();
    if (this.status === "open") this.socket?.send(writeMessage(address, ...args));
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const pending = [...this.pending];
    this.pending.clear();
    if (this.status !== "open") return;
    for (const [address, args] of pending) this.socket?.send(writeMessage(address, ...args));
  }
}
