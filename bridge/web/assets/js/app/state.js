// @ts-check
// What all pages share: who is logged in, what the server can do, uploads, events.

import { ApiError, api } from "./api.js";
import { Events } from "./events.js";
import { Uploads } from "./uploads.js";

/** @fires changed @fires navigate with detail: a path */
export class AppState extends EventTarget {
  constructor() {
    super();
    /** @type {any} */
    this.server = null;
    /** @type {any} */
    this.user = null;
    this.offline = "";
    this.events = new Events();
    this.uploads = new Uploads();
    /** @type {any[]} */
    this.songs = [];
    this.storage = { used: 0, limit: 1 };
  }

  async load() {
    try {
      this.server = await api.get("/server");
      this.user = this.server.logged_in ? await api.get("/session") : null;
      this.offline = "";
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) this.offline = String(/** @type {any} */ (error).message);
    }
    if (this.user) this.events.open();
    this.changed();
  }

  /** @param {any} user */
  enter(user) {
    this.user = user;
    this.events.open();
    this.changed();
  }

  leave() {
    this.user = null;
    this.events.close();
    this.uploads.clear();
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("changed"));
  }

  /** @param {string} path */
  go(path) {
    this.dispatchEvent(new CustomEvent("navigate", { detail: path }));
  }
}

export const app = new AppState();
