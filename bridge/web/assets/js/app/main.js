// @ts-check
// <ss-app>: the frame around all pages, and which page a path shows.

import { LitElement, html, nothing } from "lit";
import { app } from "./state.js";
import { api } from "./api.js";
import { toast } from "../components/toast.js";
import "./landing.js";
import "./auth.js";
import "./library.js";
import "./song.js";
import "./settings.js";
import "./admin.js";
import "./design.js";

/** @type {[RegExp, (found: RegExpMatchArray) => unknown, string, boolean][]} path, page, title, whether it needs a log-in */
const PAGES = [
  [/^\/$/, () => html`<ss-landing></ss-landing>`, "Stems on faders", false],
  [/^\/login$/, () => html`<ss-login></ss-login>`, "Log in", false],
  [/^\/(signup|setup)$/, ([, kind]) => html`<ss-signup .kind=${kind}></ss-signup>`, "Sign up", false],
  [/^\/(recover|reset)$/, ([, kind]) => html`<ss-recover .kind=${kind}></ss-recover>`, "New password", false],
  [/^\/s$/, () => html`<ss-song .shared=${true}></ss-song>`, "Shared song", false],
  [/^\/library$/, () => html`<ss-library></ss-library>`, "Library", true],
  [/^\/trash$/, () => html`<ss-library .trash=${true}></ss-library>`, "Trash", true],
  [/^\/songs\/([\w-]+)$/, ([, id]) => html`<ss-song .songId=${id}></ss-song>`, "Song", true],
  [/^\/settings$/, () => html`<ss-settings></ss-settings>`, "Settings", true],
  [/^\/admin$/, () => html`<ss-admin></ss-admin>`, "Admin", true],
  [/^\/design$/, () => html`<ss-design></ss-design>`, "Design", false],
];

class App extends LitElement {
  static properties = { path: { state: true }, loaded: { state: true } };

  constructor() {
    super();
    this.path = location.pathname;
    this.loaded = false;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    app.addEventListener("changed", () => this.requestUpdate());
    app.addEventListener("navigate", (event) => this.go(/** @type {CustomEvent<string>} */ (event).detail));
    app.events.addEventListener("ended", () => {
      app.leave();
      toast("You were logged out.");
      this.go("/login");
    });
    addEventListener("popstate", () => (this.path = location.pathname));
    document.addEventListener("click", (event) => this.follow(event));
    app.load().then(() => (this.loaded = true));
  }

  /** Opens links of our own without a new page, so that uploads go on. @param {MouseEvent} event */
  follow(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.origin !== location.origin || link.hasAttribute("download") || link.target || link.hash) return;
    if (link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    this.go(link.pathname);
  }

  /** @param {string} path */
  go(path) {
    const url = new URL(path, location.href);
    history.pushState(null, "", url.pathname + url.hash);
    this.path = url.pathname;
    scrollTo(0, 0);
    this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector("main"))?.focus());
  }

  async logOut() {
    await api.delete("/session").catch(() => {});
    app.leave();
    this.go("/");
  }

  page() {
    const found = PAGES.find(([pattern]) => pattern.test(this.path));
    if (!found) return html`<div class="page narrow stack"><h1>There is no such page.</h1><a href="/">To the start</a></div>`;
    const [pattern, show, title, needsLogIn] = found;
    document.title = `${title} – stream_sep`;
    if (needsLogIn && !app.user) return html`<ss-login .next=${this.path}></ss-login>`;
    return show(/** @type {RegExpMatchArray} */ (this.path.match(pattern)));
  }

  /** @param {string} path @param {string} icon @param {string} label */
  link(path, icon, label) {
    const current = this.path === path ? "page" : undefined;
    return html`<a class="button plain" href=${path} aria-current=${current ?? nothing} aria-label=${label}>
      <span class="icon icon-${icon}" aria-hidden="true"></span><span class="label">${label}</span>
    </a>`;
  }

  head() {
    const { user } = app;
    return html`<header class="app-head">
      <div>
        <a class="brand" href=${user ? "/library" : "/"}><span class="icon icon-sliders-horizontal" aria-hidden="true"></span>stream_sep</a>
        <span class="grow"></span>
        ${user
          ? html`${this.link("/library", "list-music", "Library")} ${this.link("/settings", "settings", "Settings")}
            ${user.admin ? this.link("/admin", "shield", "Admin") : nothing}
            <button class="button plain" aria-label="Log out" @click=${this.logOut}>
              <span class="icon icon-log-out" aria-hidden="true"></span><span class="label">Log out</span>
            </button>`
          : html`<nav class="row account" aria-label="Account">
              <a class="button plain" href="/login">Log in</a>
              ${app.server?.sign_up === "open" ? html`<a class="button primary" href="/signup">Sign up</a>` : nothing}
            </nav>`}
      </div>
    </header>`;
  }

  render() {
    if (!this.loaded) return html`<main class="spinner">Loading …</main>`;
    if (app.offline) {
      return html`<main class="page narrow stack">
        <h1>The server is not responding.</h1>
        <p class="quiet">${app.offline}</p>
        <button class="button primary" @click=${() => app.load()}>Try again</button>
      </main>`;
    }
    return html`<a class="skip-link" href="#main">To the content</a>${this.head()}
      <main id="main" tabindex="-1">${this.page()}</main>
      <ss-toasts></ss-toasts>`;
  }
}

customElements.define("ss-app", App);
