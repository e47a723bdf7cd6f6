// @ts-check
// <ss-design>: every component, to look at.

import { LitElement, html } from "lit";
import { themeChoice } from "../components/theme.js";
import { toast } from "../components/toast.js";
import "../components/strip.js";
import "../components/progress.js";

const COLOURS = ["ground", "surface", "raised", "sunken", "text", "quiet", "edge", "accent", "danger", "good", "warning"];
const STEMS = ["vocals", "drums", "bass", "other", "guitar", "piano"];

class Design extends LitElement {
  createRenderRoot() {
    return this;
  }

  firstUpdated() {
    for (const swatch of this.querySelectorAll("[data-colour]")) {
      const { dataset, style } = /** @type {HTMLElement} */ (swatch);
      style.setProperty("background", `var(--${dataset.colour})`);
    }
  }

  render() {
    const swatch = (/** @type {string} */ name) => html`<div class="stack tight"><div class="cover large" data-colour=${name}></div><span class="small">${name}</span></div>`;
    return html`<div class="page stack">
      <h1>Design</h1>
      <section class="card stack"><h2>Colours</h2>
        <div class="row wrap">${COLOURS.map(swatch)}</div>
        <div class="row wrap">${STEMS.map((stem) => swatch(`stem-${stem}`))}</div></section>
      <section class="card stack"><h2>Type</h2><h1>Heading one</h1><h2>Heading two</h2><h3>Heading three</h3><p>Body text, 14 px.</p><p class="quiet">Quiet text.</p><p class="error-text">Error text.</p></section>
      <section class="card stack"><h2>Buttons</h2><div class="row wrap">
        <button class="button primary">Primary</button><button class="button">Usual</button><button class="button plain">Plain</button>
        <button class="button danger">Danger</button><button class="button" aria-pressed="true">Pressed</button><button class="button" disabled>Disabled</button>
        <button class="button" @click=${() => toast("A note that goes by itself.")}>Toast</button></div></section>
      <section class="card stack"><h2>Fields</h2>
        <div class="field"><label for="sample">Name</label><input class="input" id="sample" placeholder="Type here" /><span class="hint">A hint.</span></div>
        <label class="switch"><input type="checkbox" role="switch" checked /><span>A switch</span></label>
        ${themeChoice()}
        <ss-progress .share=${0.4} label="Sample"></ss-progress></section>
      <section class="card stack"><h2>Mixer</h2><div class="strips design-strips">
        ${STEMS.map((stem, place) => html`<ss-strip .name=${stem} .state=${{ db: -3 * place, pan: 0, mute: place === 1, solo: place === 2 }} .chosen=${place === 0}></ss-strip>`)}
        <ss-strip .name=${"master"} .hasSolo=${false} .hasPan=${false}></ss-strip></div></section>
    </div>`;
  }
}

customElements.define("ss-design", Design);
