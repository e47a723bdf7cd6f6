// @ts-check
// <ss-admin>: users, invitations, queue, workers, disk, settings, audit log; no titles, no sound.

import { LitElement, html, nothing } from "lit";
import { api } from "./api.js";
import { copy } from "./auth.js";
import { dateText } from "./song.js";
import { toast } from "../components/toast.js";
import { closeSheet, openSheet, sheet } from "../components/sheet.js";
import { formatBytes, formatName, formatShare } from "../lib/format.js";

const REFRESH_MS = 5000;

/** @type {Record<string, [string, number]>} label of a setting, and the factor of its unit */
const LABELS = {
  sign_up: ["Who may sign up", 1],
  max_upload_bytes: ["Largest file, MB", 1e6],
  max_song_seconds: ["Longest song, minutes", 60],
  quota_bytes: ["Space an account has, GB", 1e9],
  max_uploads: ["Uploads at once", 1],
  max_waiting_jobs: ["Songs waiting, an account", 1],
  trash_days: ["Days in the trash", 1],
  share_days: ["Days that a link lasts", 1],
};

class Admin extends LitElement {
  static properties = { overview: { state: true }, users: { state: true }, invitations: { state: true }, audit: { state: true }, link: { state: true }, edited: { state: true } };

  constructor() {
    super();
    /** @type {any} */
    this.overview = null;
    /** @type {any[]} */
    this.users = [];
    /** @type {any[]} */
    this.invitations = [];
    /** @type {any[]} */
    this.audit = [];
    this.link = "";
    /** @type {any} the account that is changed */
    this.edited = null;
    this.timer = 0;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.load();
    this.timer = setInterval(() => this.loadOverview(), REFRESH_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  async loadOverview() {
    if (document.visibilityState === "visible") this.overview = await api.get("/admin/overview").catch(() => this.overview);
  }

  async load() {
    await this.attempt(async () => {
      [this.overview, this.users, this.invitations, this.audit] = await Promise.all(
        ["overview", "users", "invitations", "audit"].map((what) => api.get(`/admin/${what}`)),
      );
    });
  }

  /** @param {() => Promise<unknown>} act */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      toast(String(/** @type {any} */ (error).message), { bad: true });
    }
  }

  /** @param {any} link */
  show(link) {
    this.link = new URL(link.path, location.origin).href;
    openSheet("link");
  }

  /** @param {any} user @param {Record<string, unknown>} change */
  change(user, change) {
    return this.attempt(async () => {
      await api.patch(`/admin/users/${user.id}`, change);
      await this.load();
    });
  }

  figures() {
    const { users, songs, jobs, workers, disk_free: free, disk_songs: taken } = this.overview;
    const one = (/** @type {string} */ value, /** @type {string} */ label) => html`<div class="figure"><b>${value}</b><span class="quiet">${label}</span></div>`;
    return html`<div class="figures">
      ${one(String(users), users === 1 ? "account" : "accounts")} ${one(String(songs), songs === 1 ? "song" : "songs")}
      ${one(String((jobs.queued ?? 0) + (jobs.running ?? 0)), "in the queue")}
      ${one(String(workers.length), workers.length === 1 ? "worker" : "workers")} ${one(formatBytes(taken), "of songs")} ${one(formatBytes(free), "free on the disk")}
    </div>`;
  }

  userRow(/** @type {any} */ user) {
    const reset = () => this.attempt(async () => this.show(await api.post(`/admin/users/${user.id}/reset`)));
    return html`<tr>
      <td><b>${user.name}</b> ${user.admin ? html`<span class="badge">Admin</span>` : nothing} ${user.disabled ? html`<span class="badge bad">Disabled</span>` : nothing}</td>
      <td data-label="Songs">${user.songs}</td>
      <td data-label="Storage" class="numbers">${formatBytes(user.storage.used)} of ${formatBytes(user.storage.limit)}</td>
      <td data-label="Last log-in">${dateText(user.last_login)}</td>
      <td>
        <div class="row wrap end">
          <button class="button" aria-label="Reset link for ${user.name}" @click=${reset}>Reset link</button>
          <button class="button" aria-label="${user.disabled ? "Enable" : "Disable"} ${user.name}" @click=${() => this.change(user, { disabled: !user.disabled })}>
            ${user.disabled ? "Enable" : "Disable"}
          </button>
          <button class="button" aria-label="Change the account of ${user.name}" @click=${() => this.edit(user)}>Change</button>
        </div>
      </td>
    </tr>`;
  }

  /** @param {any} user */
  async edit(user) {
    this.edited = user;
    await this.updateComplete;
    openSheet("account");
  }

  accountSheet() {
    const user = this.edited;
    if (!user) return sheet({ id: "account", title: "Account", body: nothing });
    const save = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
      closeSheet("account");
      return this.change(user, {
        quota_bytes: Math.round(Number(values.get("quota")) * 1e9),
        max_song_seconds: Math.round(Number(values.get("minutes")) * 60),
        admin: values.get("admin") === "on",
      });
    };
    const remove = () => this.attempt(async () => {
      closeSheet("account");
      await api.delete(`/admin/users/${user.id}`);
      toast(`${user.name}: the account and its songs are deleted.`);
      await this.load();
    });
    const number = (/** @type {string} */ name, /** @type {string} */ label, /** @type {number} */ value) => html`<div class="field">
      <label for="account-${name}">${label}</label>
      <input class="input" id="account-${name}" name=${name} type="number" min="0.1" step="any" required .value=${String(value)} />
    </div>`;
    const body = html`<form class="stack" @submit=${save}>
        ${number("quota", "Space, GB", user.storage.limit / 1e9)} ${number("minutes", "Longest song, minutes", user.max_song_seconds / 60)}
        <label class="switch"><input type="checkbox" role="switch" name="admin" .checked=${user.admin} /><span>Runs this server</span></label>
        <button class="button primary">Save</button>
      </form>
      <details>
        <summary>Delete the account <span class="icon small icon-chevron-down" aria-hidden="true"></span></summary>
        <div class="stack tight">
          <p>All songs, stems and links of ${user.name} go at once and for ever.</p>
          <button class="button danger" @click=${remove}>Delete ${user.name} for ever</button>
        </div>
      </details>`;
    return sheet({ id: "account", title: user.name, body });
  }

  usersCard() {
    return html`<section class="card stack">
      <h2>Users</h2>
      <div class="table-wrap">
        <table>
          <thead><tr><th scope="col">Name</th><th scope="col">Songs</th><th scope="col">Storage</th><th scope="col">Last log-in</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${this.users.map((user) => this.userRow(user))}</tbody>
        </table>
      </div>
    </section>`;
  }

  invitationsCard() {
    const make = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.target);
      return this.attempt(async () => {
        this.show(await api.post("/admin/invitations", { note: String(new FormData(form).get("note")) }));
        form.reset();
        await this.load();
      });
    };
    const drop = (/** @type {any} */ one) => this.attempt(async () => {
      await api.delete(`/admin/invitations/${one.id}`);
      await this.load();
    });
    return html`<section class="card stack">
      <h2>Invitations</h2>
      ${this.overview.settings.sign_up === "closed" ? html`<p class="quiet">Sign-up is closed: invitations do not work until you open it.</p>` : nothing}
      <form class="row" @submit=${make}>
        <input class="input grow" name="note" maxlength="100" placeholder="Recipient" aria-label="Recipient" />
        <button class="button">Invite</button>
      </form>
      <ul class="list">
        ${this.invitations.map(
          (one) => html`<li class="list-row">
            <span class="grow">${one.note || "Somebody"}<br /><span class="quiet small">until ${dateText(one.expires)}</span></span>
            <button class="button danger" aria-label="Revoke the invitation for ${one.note || "somebody"}" @click=${() => drop(one)}>Revoke</button>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  queueCard() {
    const { queue, workers } = this.overview;
    const cancel = (/** @type {any} */ job) => this.attempt(async () => {
      await api.post(`/admin/jobs/${job.id}/cancel`);
      await this.loadOverview();
    });
    return html`<section class="card stack">
      <h2>Queue</h2>
      ${queue.length
        ? html`<ul class="list">
            ${queue.map(
              (/** @type {any} */ job) => html`<li class="list-row">
                <span class="badge ${job.state === "running" ? "busy" : ""}">${job.state === "running" ? formatShare(job.share) : "Waiting"}</span>
                <span class="grow truncate">${job.kind === "mix" ? "Mix" : "Separation"} for ${job.user}</span>
                <button class="button" @click=${() => cancel(job)}>Cancel</button>
              </li>`,
            )}
          </ul>`
        : html`<p class="quiet">Nothing waits.</p>`}
      <h3>Workers</h3>
      <ul class="list">
        ${workers.map(
          (/** @type {any} */ one) => html`<li class="list-row">
            <span class="lamp ${one.busy ? "good" : ""}" aria-hidden="true"></span><span class="grow truncate">${one.id}</span
            ><span class="quiet">${one.busy ? "busy" : "idle"}</span>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  settingsCard() {
    const save = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
      const { settings } = this.overview;
      /** @type {Record<string, unknown>} */
      const changed = {};
      for (const [name, value] of values) {
        const next = typeof settings[name] === "number" ? Math.round(Number(value) * (LABELS[name]?.[1] ?? 1)) : value;
        if (next !== settings[name]) changed[name] = next;
      }
      return this.attempt(async () => {
        await api.patch("/admin/settings", changed);
        toast("Saved.");
        await this.load();
      });
    };
    const field = (/** @type {[string, unknown]} */ [name, value]) => html`<div class="field">
      <label for="set-${name}">${LABELS[name]?.[0] ?? formatName(name)}</label>
      ${name === "sign_up"
        ? html`<select class="input" id="set-${name}" name=${name}>
            ${["open", "invite", "closed"].map((one) => html`<option value=${one} ?selected=${one === value}>${{ open: "Open to all", invite: "By invitation", closed: "Closed" }[one]}</option>`)}
          </select>`
        : html`<input class="input" id="set-${name}" name=${name} .value=${typeof value === "number" ? String(value / (LABELS[name]?.[1] ?? 1)) : String(value)} inputmode=${typeof value === "number" ? "decimal" : "text"} />`}
    </div>`;
    const shown = /** @type {[string, unknown][]} */ (Object.entries(this.overview.settings)).filter(([, value]) => typeof value !== "object" && typeof value !== "boolean");
    return html`<section class="card stack">
      <h2>Settings</h2>
      <form class="stack" @submit=${save}>
        <div class="figures">${shown.map(field)}</div>
        <div><button class="button primary">Save</button></div>
      </form>
    </section>`;
  }

  auditCard() {
    return html`<section class="card stack">
      <h2>Audit log</h2>
      <ul class="list">
        ${this.audit.slice(0, 50).map(
          (/** @type {any} */ one) => html`<li class="list-row">
            <span class="grow">${one.actor} <span class="quiet">${one.action}</span> <span class="small quiet">${one.address}</span></span>
            <span class="quiet small">${new Date(one.created).toLocaleString()}</span>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  render() {
    if (!this.overview) return html`<div class="spinner">Loading …</div>`;
    const { warning } = this.overview;
    return html`<div class="page stack">
        <h1>Admin</h1>
        ${warning
          ? html`<div class="banner warning" role="alert"><span class="icon icon-triangle-alert" aria-hidden="true"></span>${warning}</div>`
          : nothing}
        ${this.figures()} ${this.usersCard()} ${this.invitationsCard()} ${this.queueCard()} ${this.settingsCard()} ${this.auditCard()}
      </div>
      ${this.accountSheet()} ${sheet({
        id: "link",
        title: "A link that works once",
        body: html`<p>Send it to its recipient. It is not shown again.</p>
          <div class="secret">${this.link}</div>
          <button class="button" @click=${() => copy(this.link)}>Copy</button>`,
      })}`;
  }
}

customElements.define("ss-admin", Admin);
