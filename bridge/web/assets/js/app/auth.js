// @ts-check
// <ss-login>, <ss-signup>, <ss-recover>: getting in.

import { LitElement, html, nothing } from "lit";
import { ApiError, api } from "./api.js";
import { app } from "./state.js";
import { toast } from "../components/toast.js";

const KEPT_MS = 60000; // Safari on iOS reads a file only after its question whether to download it

/** A form that is sent once at a time and shows why it was refused. */
class Form extends LitElement {
  /** @type {import("lit").PropertyDeclarations} */
  static properties = { error: { state: true }, busy: { state: true }, shown: { state: true }, typed: { state: true } };

  constructor() {
    super();
    this.error = "";
    this.busy = false;
    this.shown = false;
    this.typed = "";
    this.key = new URLSearchParams(location.hash.slice(1)).get("k") ?? "";
    if (location.hash && this.key) history.replaceState(null, "", location.pathname);
  }

  createRenderRoot() {
    return this;
  }

  /** @param {(values: Record<string, string>) => Promise<void>} act */
  onSubmit(act) {
    return async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
      this.busy = true;
      this.error = "";
      try {
        await act(/** @type {Record<string, string>} */ (values));
      } catch (error) {
        const wait = error instanceof ApiError && error.status === 429 && error.retry ? ` Try again in ${error.retry} s.` : "";
        this.error = `${/** @type {any} */ (error).message}${wait && !String(/** @type {any} */ (error).message).includes(" s") ? wait : ""}`;
      } finally {
        this.busy = false;
      }
    };
  }

  /** @param {string} autocomplete @param {string} label @param {boolean} [judged] */
  password(autocomplete, label = "Password", judged = false) {
    const least = app.server?.min_password ?? 15;
    const missing = least - [...this.typed].length;
    const hint = !judged
      ? ""
      : this.typed && missing <= 0
        ? "Long enough."
        : this.typed
          ? `${missing} more ${missing === 1 ? "character" : "characters"}. Three random words are fine.`
          : `At least ${least} characters. Three random words are fine.`;
    return html`<div class="field">
      <label for="password">${label}</label>
      <div class="with-button">
        <input
          class="input"
          id="password"
          name="password"
          type=${this.shown ? "text" : "password"}
          autocomplete=${autocomplete}
          required
          maxlength="128"
          aria-describedby=${judged ? "password-hint" : nothing}
          @input=${(/** @type {Event} */ event) => (this.typed = /** @type {HTMLInputElement} */ (event.target).value)}
        />
        <button
          type="button"
          class="button plain icon-only"
          aria-label=${this.shown ? "Hide the password" : "Show the password"}
          @click=${() => (this.shown = !this.shown)}
        >
          <span class="icon icon-${this.shown ? "eye-off" : "eye"}" aria-hidden="true"></span>
        </button>
      </div>
      ${judged
        ? html`<span class="hint ${this.typed && missing <= 0 ? "good" : ""}" id="password-hint">${hint}</span>`
        : nothing}
    </div>`;
  }

  name() {
    return html`<div class="field">
      <label for="name">Name</label>
      <input class="input" id="name" name="name" required autocomplete="username" autocapitalize="off" spellcheck="false" maxlength="100" />
    </div>`;
  }

  problem() {
    return html`<p class="error-text" role="alert">${this.error}</p>`;
  }

  /** @param {string} label */
  submit(label) {
    return html`<button class="button primary" ?disabled=${this.busy}>${this.busy ? "One moment …" : label}</button>`;
  }
}

class LogInPage extends Form {
  static properties = { next: {} };

  constructor() {
    super();
    this.next = "/library";
  }

  render() {
    const act = this.onSubmit(async ({ name, password }) => {
      const user = await api.post("/session", { name, password });
      if (location.pathname === "/login") app.go(this.next);
      app.enter(user);
    });
    return html`<div class="page narrow">
      <form class="card stack" @submit=${act}>
        <h1>Log in</h1>
        ${this.name()} ${this.password("current-password")} ${this.error ? this.problem() : nothing}
        ${this.submit("Log in")}
        <p class="quiet"><a href="/recover">Forgot the password?</a></p>
        ${app.server?.sign_up === "open" ? html`<p class="quiet">New here? <a href="/signup">Sign up</a></p>` : nothing}
      </form>
    </div>`;
  }
}

class SignUpPage extends Form {
  static properties = { kind: {}, codes: { state: true } };

  constructor() {
    super();
    this.kind = "signup";
    /** @type {string[]} */
    this.codes = [];
  }

  done() {
    const text = this.codes.join("\n");
    return html`<div class="page narrow">
      <div class="card stack">
        <h1>Keep these codes</h1>
        <p class="quiet">Each lets you choose a new password, once, if you forget yours. They are not shown again.</p>
        <ul class="codes" aria-label="Recovery codes">${this.codes.map((code) => html`<li>${code}</li>`)}</ul>
        <div class="row wrap">
          <button class="button" @click=${() => copy(text)}><span class="icon icon-copy" aria-hidden="true"></span>Copy</button>
          <button class="button" @click=${() => save(text, "stream_sep recovery codes.txt")}>
            <span class="icon icon-download" aria-hidden="true"></span>Save
          </button>
          <span class="grow"></span>
          <a class="button primary" href="/library">To the library</a>
        </div>
      </div>
    </div>`;
  }

  /** @returns {string} why there is no form; empty if there is one */
  refusal() {
    if (this.kind === "setup") return "";
    if (app.server?.needs_setup) return "This server is new. Open the set-up link that it printed when it started.";
    return app.server?.sign_up === "closed" ? "This server takes no new accounts. Ask its owner for one." : "";
  }

  /** @param {string} why */
  closed(why) {
    return html`<div class="page narrow">
      <div class="card stack">
        <h1>Sign-up is closed</h1>
        <p>${why}</p>
        <p class="quiet">Here before? <a href="/login">Log in</a></p>
      </div>
    </div>`;
  }

  render() {
    if (this.codes.length) return this.done();
    const refusal = this.refusal();
    if (refusal) return this.closed(refusal);
    const act = this.onSubmit(async ({ name, password, invitation }) => {
      const key = this.kind === "setup" ? { setup: this.key } : { invitation: invitation || this.key };
      const welcome = await api.post("/users", { name, password, ...key });
      this.codes = welcome.recovery_codes;
      app.server = { ...app.server, needs_setup: false };
      app.enter(welcome.user);
    });
    const needsInvitation = this.kind === "signup" && app.server?.sign_up === "invite" && !this.key;
    return html`<div class="page narrow">
      <form class="card stack" @submit=${act}>
        <h1>${this.kind === "setup" ? "Set up this server" : "Sign up"}</h1>
        ${this.kind === "setup" ? html`<p class="quiet">You become its admin.</p>` : nothing}
        ${this.name()} ${this.password("new-password", "Password", true)}
        ${needsInvitation
          ? html`<div class="field">
              <label for="invitation">Invitation</label>
              <input class="input" id="invitation" name="invitation" required autocomplete="off" />
              <span class="hint">Ask the owner of this server for one.</span>
            </div>`
          : nothing}
        ${this.error ? this.problem() : nothing} ${this.submit(this.kind === "setup" ? "Set up" : "Sign up")}
        ${this.kind === "setup" ? nothing : html`<p class="quiet">Here before? <a href="/login">Log in</a></p>`}
      </form>
    </div>`;
  }
}

class RecoverPage extends Form {
  static properties = { kind: {} };

  constructor() {
    super();
    this.kind = "recover";
  }

  render() {
    const byCode = this.kind === "recover";
    const act = this.onSubmit(async ({ name, code, password }) => {
      const user = byCode
        ? await api.post("/session/recovery", { name, code: code.trim(), password })
        : await api.post("/session/reset", { key: this.key, password });
      toast("The password is changed. You were logged out everywhere else.");
      app.go("/library");
      app.enter(user);
    });
    return html`<div class="page narrow">
      <form class="card stack" @submit=${act}>
        <h1>Choose a new password</h1>
        ${byCode
          ? html`<p class="quiet">Use one of the codes from when you signed up, or ask the admin of this server for a link.</p>
              ${this.name()}
              <div class="field">
                <label for="code">Recovery code</label>
                <input class="input" id="code" name="code" required autocomplete="off" autocapitalize="off" spellcheck="false" />
              </div>`
          : nothing}
        ${this.password("new-password", "New password", true)} ${this.error ? this.problem() : nothing}
        ${this.submit("Change password")}
      </form>
    </div>`;
  }
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("Copying needs HTTPS: select the text and copy it.", { bad: true });
  }
}

/** @param {string} text @param {string} name */
export function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}

customElements.define("ss-login", LogInPage);
customElements.define("ss-signup", SignUpPage);
customElements.define("ss-recover", RecoverPage);
