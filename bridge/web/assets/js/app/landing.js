// @ts-check
// <ss-landing>: what stream_sep does, and the demo song to try it with.

import { LitElement, html, nothing } from "lit";
import { api } from "./api.js";
import { app } from "./state.js";
import { formatDays } from "../lib/format.js";
import "../player/view.js";

class Landing extends LitElement {
  static properties = { song: { state: true }, error: { state: true } };

  constructor() {
    super();
    /** @type {any} */
    this.song = null;
    this.error = "";
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    if (app.server?.demo) {
      api.get("/shares/demo").then((song) => (this.song = song), (error) => (this.error = error.message));
    }
  }

  enter() {
    const { server, user } = app;
    if (user) return html`<a class="button primary" href="/library">To your library</a>`;
    if (server?.needs_setup) {
      return html`<p>This server is new. Open the set-up link that it printed when it started.</p>`;
    }
    return html`<div class="row wrap">
        ${server?.sign_up === "open" ? html`<a class="button primary" href="/signup">Sign up</a>` : nothing}
        <a class="button" href="/login">Log in</a>
      </div>
      ${server?.sign_up === "open"
        ? nothing
        : html`<p class="small">
            ${server?.sign_up === "invite"
              ? "Sign-up is by invitation. Ask the owner of this server for one."
              : "Sign-up is closed. Ask the owner of this server for an account."}
          </p>`}`;
  }

  /** @param {string} icon @param {string} title @param {string} text */
  feature(icon, title, text) {
    return html`<section class="stack tight">
      <h2><span class="icon icon-${icon}" aria-hidden="true"></span>${title}</h2>
      <p class="quiet">${text}</p>
    </section>`;
  }

  render() {
    return html`<div class="page">
      <div class="hero">
        <h1>Every song, on faders.</h1>
        <p>Upload a song and get vocals, drums, bass and the rest as separate tracks: mute, solo, loop and mix them, and take them with you.</p>
        ${this.enter()}
      </div>
      ${this.song
        ? html`<section class="demo-card" aria-labelledby="demo-title">
            <div class="row between">
              <h2 id="demo-title">Try the demo song</h2>
              <span class="quiet truncate">${this.song.title}${this.song.artist ? ` – ${this.song.artist}` : ""}</span>
            </div>
            <ss-player base="/api/v1/shares/demo" .song=${this.song} .ready=${this.song.frames}></ss-player>
          </section>`
        : this.error
          ? html`<p class="quiet">${this.error}</p>`
          : nothing}
      <div class="features">
        ${this.feature("hard-drive", "Your files stay here", `Songs are separated on this server and go nowhere else. Delete one and it is gone after ${formatDays(app.server.trash_days)} in the trash.`)}
        ${this.feature("gauge", "Play before it is done", "Stems play while they are being made. Loops are exact to the sample, faders the same as in the studio.")}
        ${this.feature("download", "Take it all", "One stem, all of them, or the mix as you hear it: FLAC, WAV, MP3, Ogg, or a stem file for DJ software.")}
      </div>
    </div>`;
  }
}

customElements.define("ss-landing", Landing);
