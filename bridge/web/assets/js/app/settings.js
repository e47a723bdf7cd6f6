// @ts-check
// <ss-settings>: one's own account.

import { LitElement, html, nothing } from "lit";
import { API, api } from "./api.js";
import { app } from "./state.js";
import { copy, save } from "./auth.js";
import { dateText } from "./song.js";
import { toast } from "../components/toast.js";
import { closeSheet, openSheet, sheet } from "../components/sheet.js";
import { themeChoice } from "../components/theme.js";
import { formatBytes } from "../lib/format.js";
import "../components/progress.js";

class Settings extends LitElement {
  static properties = {
    sessions: { state: true },
    tokens: { state: true },
    secret: { state: true },
    codes: { state: true },
    error: { state: true },
  };

  constructor() {
    super();
    /** @type {any[]} */
    this.sessions = [];
    /** @type {any[]} */
    this.tokens = [];
    this.secret = "";
    /** @type {string[]} */
    this.codes = [];
    this.error = "";
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.load();
  }

  async load() {
    await this.attempt(async () => {
      [app.user, this.sessions, this.tokens] = await Promise.all([api.get("/me"), api.get("/me/sessions"), api.get("/me/tokens")]);
      this.requestUpdate();
    });
  }

  /** @param {() => Promise<void>} act */
  async attempt(act) {
    this.error = "";
    try {
      await act();
    } catch (error) {
      this.error = String(/** @type {any} */ (error).message);
      toast(this.error, { bad: true });
    }
  }

  /** @param {(values: Record<string, string>, form: HTMLFormElement) => Promise<void>} act */
  onSubmit(act) {
    return (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.target);
      const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
      return this.attempt(() => act(values, form));
    };
  }

  /** @param {string} id @param {string} label @param {string} name @param {string} autocomplete */
  passwordField(id, label, name, autocomplete) {
    return html`<div class="field">
      <label for=${id}>${label}</label>
      <input class="input" id=${id} name=${name} type="password" required autocomplete=${autocomplete} maxlength="128" />
    </div>`;
  }

  password() {
    const act = this.onSubmit(async ({ current, next }, form) => {
      app.user = await api.patch("/me", { current_password: current, password: next });
      form.reset();
      toast("The password is changed. You were logged out everywhere else.");
      await this.load();
    });
    return html`<section class="card stack">
      <h2>Password</h2>
      <form class="stack" @submit=${act}>
        <input type="text" autocomplete="username" class="visually-hidden" tabindex="-1" aria-hidden="true" .value=${app.user.name} readonly />
        ${this.passwordField("current", "Password now", "current", "current-password")}
        ${this.passwordField("next", "New password", "next", "new-password")}
        <div><button class="button">Change password</button></div>
      </form>
    </section>`;
  }

  recovery() {
    const act = this.onSubmit(async ({ password }, form) => {
      this.codes = (await api.post("/me/recovery-codes", { password })).recovery_codes;
      form.reset();
    });
    const text = this.codes.join("\n");
    return html`<section class="card stack">
      <h2>Recovery codes</h2>
      <p class="quiet">${app.user.recovery_codes_left} left. Each replaces a forgotten password once. New ones end the old ones.</p>
      ${this.codes.length
        ? html`<ul class="codes">${this.codes.map((code) => html`<li>${code}</li>`)}</ul>
            <div class="row">
              <button class="button" @click=${() => copy(text)}>Copy</button>
              <button class="button" @click=${() => save(text, "stream_sep recovery codes.txt")}>Save</button>
            </div>`
        : html`<form class="stack" @submit=${act}>
            ${this.passwordField("codes-password", "Password", "password", "current-password")}
            <div><button class="button">New codes</button></div>
          </form>`}
    </section>`;
  }

  sessionsCard() {
    const end = (/** @type {any} */ one) => this.attempt(async () => {
      await api.delete(`/me/sessions/${one.id}`);
      await this.load();
    });
    const endAll = () => this.attempt(async () => {
      await api.delete("/me/sessions");
      toast("Logged out everywhere else.");
      await this.load();
    });
    return html`<section class="card stack">
      <h2>Where you are logged in</h2>
      <ul class="list">
        ${this.sessions.map(
          (one) => html`<li class="list-row">
            <span class="icon icon-${/Mobile|iPhone|Android/.test(one.agent) ? "smartphone" : "monitor"}" aria-hidden="true"></span>
            <span class="grow truncate">${agentName(one.agent)}<br /><span class="quiet small">${one.address}, used ${dateText(one.used)}</span></span>
            ${one.current ? html`<span class="badge">This one</span>` : html`<button class="button" @click=${() => end(one)}>Log out</button>`}
          </li>`,
        )}
      </ul>
      ${this.sessions.length > 1 ? html`<div><button class="button" @click=${endAll}>Log out everywhere else</button></div>` : nothing}
    </section>`;
  }

  tokensCard() {
    const make = this.onSubmit(async ({ name, scope }, form) => {
      this.secret = (await api.post("/me/tokens", { name, scope })).secret;
      form.reset();
      await this.load();
    });
    const revoke = (/** @type {any} */ one) => this.attempt(async () => {
      await api.delete(`/me/tokens/${one.id}`);
      await this.load();
    });
    return html`<section class="card stack">
      <h2>API tokens</h2>
      <p class="quiet">For programs: <code>Authorization: Bearer sst_…</code></p>
      ${this.secret
        ? html`<div class="stack tight">
            <p>Copy it now; it is not shown again.</p>
            <div class="secret">${this.secret}</div>
            <div><button class="button" @click=${() => copy(this.secret)}>Copy</button></div>
          </div>`
        : nothing}
      <ul class="list">
        ${this.tokens.map(
          (one) => html`<li class="list-row">
            <span class="icon icon-key-round" aria-hidden="true"></span>
            <span class="grow truncate">${one.name}<br /><span class="quiet small">${one.scope === "write" ? "reads and writes" : "reads"}, used ${dateText(one.used)}</span></span>
            <button class="button danger" aria-label="Revoke ${one.name}" @click=${() => revoke(one)}>Revoke</button>
          </li>`,
        )}
      </ul>
      <form class="row wrap" @submit=${make}>
        <input class="input grow" name="name" required maxlength="64" placeholder="What it is for" aria-label="What the token is for" />
        <select class="input token-scope" name="scope" aria-label="What it may do"><option value="read">Read</option><option value="write">Read and write</option></select>
        <button class="button">Make a token</button>
      </form>
    </section>`;
  }

  exportCard() {
    const { used } = app.user.storage;
    return html`<section class="card stack">
      <h2>Your songs</h2>
      <p class="quiet">Every song with its stems, cover and titles, in one zip${used ? ` of about ${formatBytes(used)}` : ""}.</p>
      <div>
        <a class="button" download href="${API}/me/export.zip"><span class="icon icon-download" aria-hidden="true"></span>Export all</a>
      </div>
    </section>`;
  }

  deleteCard() {
    const act = this.onSubmit(async ({ password }) => {
      await api.delete("/me", { password });
      closeSheet("delete");
      app.leave();
      app.go("/");
      toast("Your account and all your songs are deleted.");
    });
    const body = html`<form class="stack" @submit=${act}>
      <p>All songs, stems and links go at once and for ever.</p>
      ${this.passwordField("delete-password", "Password", "password", "current-password")}
      ${this.error ? html`<p class="error-text" role="alert">${this.error}</p>` : nothing}
      <button class="button danger primary">Delete my account</button>
    </form>`;
    return html`<section class="card stack">
        <h2>Delete account</h2>
        <div><button class="button danger" @click=${() => openSheet("delete")}>Delete account …</button></div>
      </section>
      ${sheet({ id: "delete", title: "Delete account", body })}`;
  }

  render() {
    const { used, limit } = app.user.storage;
    return html`<div class="page medium stack">
      <h1>Settings</h1>
      <section class="card stack">
        <h2>${app.user.name}</h2>
        <div class="stack tight">
          <span class="quiet">${formatBytes(used)} of ${formatBytes(limit)} used</span>
          <ss-progress .share=${used / limit} label="Storage used"></ss-progress>
        </div>
        ${themeChoice()}
      </section>
      ${this.password()} ${this.recovery()} ${this.sessionsCard()} ${this.tokensCard()} ${this.exportCard()} ${this.deleteCard()}
    </div>`;
  }
}

/** @param {string} agent @returns {string} such as Chrome on Linux */
function agentName(agent) {
  const find = (/** @type {[string, string][]} */ names) => names.find(([part]) => agent.includes(part))?.[1] ?? "";
  const system = find([["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac", "Mac"], ["Linux", "Linux"]]);
  const browser = find([["Edg", "Edge"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]]) || "Browser";
  return system ? `${browser} on ${system}` : browser;
}

customElements.define("ss-settings", Settings);
