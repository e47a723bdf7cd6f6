// @ts-check
// Uploads: two at a time, in pieces, resumed automatically after a broken connection.

import { api } from "./api.js";
import { begin, readOffset, sendPiece } from "./upload_requests.js";

const MAX_PARALLEL = 2;
const RETRY_SECONDS = 2;
/** Statuses that a retry may change: no response, a wrong offset, a full queue, a server that restarts; not a full disk. */
const TRANSIENT = new Set([0, 408, 409, 429, 500, 502, 503, 504]);

/**
 * @typedef {object} Upload
 * @property {File} file
 * @property {string} id of the upload on the server; empty before it has one
 * @property {number} sent bytes
 * @property {number} speed bytes a second
 * @property {"queued" | "sending" | "paused" | "broken" | "failed" | "cancelled" | "done"} state
 * @property {boolean} busy whether requests for it are running
 * @property {string} error
 * @property {Record<string, unknown>} settings
 * @property {XMLHttpRequest | null} request
 */

/** @typedef {{id: string, name: string, size: number, offset: number}} Unfinished an upload as the server lists it */

/** @fires changed @fires done with detail: the song */
export class Uploads extends EventTarget {
  constructor() {
    super();
    /** @type {Upload[]} */
    this.list = [];
    /** @type {Unfinished[]} */
    this.listed = [];
    addEventListener("beforeunload", (event) => {
      if (this.list.some((one) => one.busy || one.state === "queued" || one.state === "broken")) event.preventDefault();
    });
    addEventListener("online", () => this.retryNow());
  }

  /** @param {Iterable<File>} files @param {Record<string, unknown>} settings */
  add(files, settings) {
    for (const file of files) this.list = [...this.list, newUpload(file, settings)];
    this.pump();
  }

  /** Goes on with an upload that another page began. @param {Unfinished} unfinished @param {File} file the same file */
  adopt({ id }, file) {
    this.list = [...this.list, { ...newUpload(file, {}), id }];
    this.pump();
  }

  /** @returns {Unfinished[]} uploads on the server that this page does not send */
  get unfinished() {
    return this.listed.filter(({ id }) => !this.list.some((one) => one.id === id));
  }

  /** Reads the list of unfinished uploads. */
  async refresh() {
    this.listed = await api.get("/uploads").catch(() => this.listed);
    this.changed();
  }

  pump() {
    for (const one of this.list) {
      if (this.list.filter(({ busy }) => busy).length >= MAX_PARALLEL) break;
      if (one.state === "queued" && !one.busy) this.send(one);
    }
    this.changed();
  }

  changed() {
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
    if (upload.state === "sending") return;
    upload.state = "queued";
    upload.error = "";
    this.pump();
  }

  /** Sends at once what waits after an error. */
  retryNow() {
    for (const one of this.list) if (one.state === "broken") one.state = "queued";
    this.pump();
  }

  /** @param {Upload} upload */
  async cancel(upload) {
    this.list = this.list.filter((one) => one !== upload);
    upload.state = "cancelled"; // `begin` deletes it if the server's id is yet to come
    upload.request?.abort();
    this.pump();
    if (upload.id) await this.discard(upload.id);
  }

  /** Deletes an upload with its bytes. @param {string} id */
  async discard(id) {
    await api.delete(`/uploads/${id}`).catch(() => {});
    await this.refresh();
    this.retryNow(); // one more may run now
  }

  /** Aborts all; the server keeps what it has received. */
  clear() {
    const { list } = this;
    [this.list, this.listed] = [[], []];
    for (const one of list) this.pause(one);
  }

  /** @param {Upload} upload */
  async send(upload) {
    [upload.busy, upload.state] = [true, "sending"];
    try {
      if (upload.id) upload.sent = await readOffset(upload.id);
      else await this.begin(upload);
      upload.error = "";
      while (upload.state === "sending") await this.sendNext(upload);
    } catch (error) {
      this.fail(upload, error);
    }
    upload.busy = false;
    this.pump();
  }

  /** @param {Upload} upload */
  async begin(upload) {
    const { id, offset } = await begin(upload.file, upload.settings);
    const same = this.list.find((one) => one.id === id);
    if (same) {
      this.list = this.list.filter((one) => one !== upload);
      upload.state = "cancelled";
      this.resume(same);
    } else if (upload.state === "cancelled") await this.discard(id);
    else [upload.id, upload.sent] = [id, offset];
  }

  /** @param {Upload} upload */
  async sendNext(upload) {
    const { sent } = upload;
    const { offset, song } = await sendPiece(upload, (loaded, speed) => {
      [upload.sent, upload.speed] = [sent + loaded, speed];
      this.changed();
    });
    upload.sent = offset;
    if (!song) return;
    upload.state = "done";
    this.list = this.list.filter((one) => one !== upload);
    this.listed = this.listed.filter(({ id }) => id !== upload.id);
    this.dispatchEvent(new CustomEvent("done", { detail: song }));
  }

  /** @param {Upload} upload @param {unknown} error */
  fail(upload, error) {
    if (upload.state !== "sending") return; // paused or cancelled
    const { status, detail, message, retry } = /** @type {import("./api.js").ApiError} */ (error);
    if (!TRANSIENT.has(status)) {
      upload.state = "failed";
      upload.error = message;
      if (status === 404) upload.id = ""; // it has expired: begin again
      return;
    }
    const share = Math.round((upload.sent / Math.max(upload.file.size, 1)) * 100);
    upload.state = "broken";
    upload.error = status === 429 ? `${detail} It is sent automatically.` : `The connection broke at ${share} %. It resumes automatically.`;
    if (status === 429) this.refresh();
    setTimeout(() => upload.state === "broken" && this.resume(upload), 1000 * (retry || RETRY_SECONDS));
  }
}

/** @param {File} file @param {Record<string, unknown>} settings @returns {Upload} */
function newUpload(file, settings) {
  return { file, settings, id: "", sent: 0, speed: 0, state: "queued", busy: false, error: "", request: null };
}
