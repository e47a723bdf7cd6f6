// @ts-check
// Uploads: two at a time, in pieces, resumed automatically after a broken connection.

import { API, ApiError, api, errorOf, problemOf } from "./api.js";

const PIECE_BYTES = 8 * 1024 * 1024;
const MAX_PARALLEL = 2;
const RETRY_MS = 2000;
/** Statuses that a retry may change: no response, a wrong offset, a server that restarts; not a full disk. */
const TRANSIENT = new Set([0, 408, 409, 500, 502, 503, 504]);

/**
 * @typedef {object} Upload
 * @property {number} number
 * @property {File} file
 * @property {string} id of the upload on the server; empty before it has one
 * @property {number} sent bytes
 * @property {number} speed bytes a second
 * @property {"queued" | "sending" | "paused" | "broken" | "failed" | "done"} state
 * @property {string} error
 * @property {Record<string, unknown>} settings
 * @property {XMLHttpRequest | null} request
 */

/** @fires changed @fires done with detail: the song */
export class Uploads extends EventTarget {
  constructor() {
    super();
    /** @type {Upload[]} */
    this.list = [];
    this.count = 0;
    addEventListener("beforeunload", (event) => {
      if (this.list.some((one) => one.state === "sending" || one.state === "queued")) event.preventDefault();
    });
    addEventListener("online", () => this.pump());
  }

  /** @param {Iterable<File>} files @param {Record<string, unknown>} settings */
  add(files, settings) {
    for (const file of files) {
      const upload = { number: ++this.count, file, id: "", sent: 0, speed: 0, state: "queued", error: "", settings, request: null };
      this.list = [...this.list, /** @type {Upload} */ (upload)];
    }
    this.pump();
  }

  pump() {
    for (const one of this.list) {
      if (this.list.filter(({ state }) => state === "sending").length >= MAX_PARALLEL) break;
      if (one.state === "queued" || one.state === "broken") this.send(one);
    }
    this.dispatchEvent(new Event("changed"));
  }

  /** @param {Upload} upload */
  pause(upload) {
    upload.state = "paused";
    upload.request?.abort();
    this.pump();
  }

  /** @param {Upload} upload */
  resume(upload) {
    upload.state = "queued";
    upload.error = "";
    this.pump();
  }

  /** @param {Upload} upload */
  async cancel(upload) {
    this.list = this.list.filter((one) => one !== upload);
    upload.state = "paused";
    upload.request?.abort();
    this.pump();
    if (upload.id) await api.delete(`/uploads/${upload.id}`).catch(() => {});
  }

  /** @param {Upload} upload */
  async send(upload) {
    upload.state = "sending";
    try {
      if (!upload.id) {
        const { file, settings } = upload;
        upload.id = (await api.post("/uploads", { name: file.name, size: file.size, settings })).id;
      } else upload.sent = await this.offset(upload);
      while (upload.state === "sending") {
        const { song } = await this.piece(upload);
        if (song) {
          upload.state = "done";
          this.list = this.list.filter((one) => one !== upload);
          this.dispatchEvent(new CustomEvent("done", { detail: song }));
        }
      }
    } catch (error) {
      this.fail(upload, error);
    }
    this.pump();
  }

  /** @param {Upload} upload @param {unknown} error */
  fail(upload, error) {
    if (upload.state !== "sending") return; // paused or cancelled
    const transient = error instanceof ApiError && TRANSIENT.has(error.status);
    upload.state = transient ? "broken" : "failed";
    const share = Math.round((upload.sent / Math.max(upload.file.size, 1)) * 100);
    upload.error = transient ? `The connection broke at ${share} %. It resumes automatically.` : String(/** @type {any} */ (error).message);
    if (transient) setTimeout(() => this.pump(), RETRY_MS);
  }

  /** @param {Upload} upload @returns {Promise<number>} */
  async offset(upload) {
    const response = await fetch(`${API}/uploads/${upload.id}`, { method: "HEAD" }).catch(() => null);
    if (!response) throw new ApiError(0, "offline", "The server is not responding.", "");
    if (!response.ok) throw await errorOf(response);
    return Number(response.headers.get("Upload-Offset"));
  }

  /** @param {Upload} upload @returns {Promise<any>} the response to the next piece */
  piece(upload) {
    const { file, sent } = upload;
    const body = file.slice(sent, sent + PIECE_BYTES);
    const began = performance.now();
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch reports no upload progress
      upload.request = request;
      request.open("PATCH", `${API}/uploads/${upload.id}`);
      request.setRequestHeader("Upload-Offset", String(sent));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        upload.sent = sent + Math.min(event.loaded, body.size);
        upload.speed = event.loaded / Math.max((performance.now() - began) / 1000, 0.1);
        this.dispatchEvent(new Event("changed"));
      });
      request.addEventListener("load", () => {
        const { status, responseText: text } = request;
        const response = status < 300 ? parsed(text) : null;
        if (response) {
          upload.sent = response.offset;
          resolve(response);
        } else reject(problemOf(status, text, request.getResponseHeader("Retry-After")));
      });
      for (const event of ["error", "abort", "timeout"]) {
        request.addEventListener(event, () => reject(new ApiError(0, "offline", "The connection broke.", "")));
      }
      request.send(body);
    });
  }
}

/** @param {string} text @returns {any} its value, or null if it is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
