// @ts-check
// Plays pieces of all stems on one clock. Sums are integers; they are divided by the rate only where a source starts
// and stops. A source stops a quarter of a frame before its end, as browsers round the time of a stop up (Chromium, Safari)
// or to the nearest frame (Firefox). With a duration in its place the old piece sounds one frame into the next.

import { Stretcher } from "./stretcher.js";
import { nextSegment } from "./timeline.js";

/** @typedef {import("./timeline.js").Loop} Loop */
/** @typedef {import("./timeline.js").Segment} Segment */
/** @typedef {{segment: Segment, sources: AudioBufferSourceNode[]}} Placed */
/** @typedef {"paused" | "playing" | "loading" | "waiting" | "ended"} State */

const TICK_MS = 250;
const LOOKAHEAD_SECONDS = 3;
const BEHIND_SECONDS = 5;
const AHEAD_SECONDS = 12;
const MIN_LOOP_SECONDS = 0.02;
const STOP_EARLY = 0.25; // frames

/**
 * @fires state the state has changed
 * @fires moved the position has jumped, or the loop has changed
 */
export class Player extends EventTarget {
  /**
   * @param {object} options
   * @param {BaseAudioContext} options.context at the rate of the pieces
   * @param {import("./mixer.js").StemMixer} options.mixer
   * @param {import("./pieces.js").Pieces} options.pieces
   * @param {number} options.frames of the whole song
   * @param {number} options.pieceFrames
   * @param {number} [options.margin] frames from a command to the first frame it changes
   * @param {number} [options.fade] seconds of fade where sound begins and ends
   * @param {number} [options.lookahead] seconds
   */
  constructor({ context, mixer, pieces, frames, pieceFrames, margin = 1024, fade = 0.005, lookahead = LOOKAHEAD_SECONDS }) {
    super();
    this.context = context;
    this.mixer = mixer;
    this.pieces = pieces;
    this.frames = frames;
    this.pieceFrames = pieceFrames;
    this.margin = margin;
    this.fadeSeconds = fade;
    this.lookahead = Math.round(lookahead * context.sampleRate);
    /** @type {State} */
    this.state = "paused";
    /** @type {Loop | null} */
    this.loop = null;
    this.at = 0; // frame of the song, while nothing is scheduled
    /** @type {import("./timeline.js").Cursor | null} */
    this.cursor = null;
    /** @type {Placed[]} */
    this.placed = [];
    this.timer = 0;
    /** @type {symbol | null} the `play` whose context does not run yet: up to a second in Firefox, longer with Bluetooth */
    this.starting = null;
    this.speed = 1;
    this.semitones = 0;
    /** @type {Stretcher | null} while speed or pitch are not the song's own */
    this.stretcher = null;
    /** @type {Promise<void> | null} */
    this.loaded = null;
    pieces.addEventListener("piece", () => this.fill());
    pieces.addEventListener("waiting", () => this.fill());
    this.prefetch();
  }

  get rate() {
    return this.context.sampleRate;
  }

  /** @returns {number} frame of the context now */
  get now() {
    return Math.round(this.context.currentTime * this.rate);
  }

  /** @returns {number} frame of the song that sounds now */
  get position() {
    if (this.stretcher) return Math.min(this.scheduling ? Math.round(this.stretcher.at) : this.at, this.frames);
    const { now } = this;
    let at = this.at;
    for (const { segment } of this.placed) {
      if (segment.context > now) break;
      at = segment.song + Math.min(now - segment.context, segment.frames);
    }
    return Math.min(at, this.frames);
  }

  get playing() {
    return this.state === "playing" || this.state === "loading" || this.state === "waiting";
  }

  /** @returns {boolean} whether it plays, and the context runs: until then, nothing is scheduled */
  get scheduling() {
    return this.playing && !this.starting;
  }

  async play() {
    if (this.playing) return;
    if (this.state === "ended") this.at = this.loop ? this.loop.start : 0;
    const starting = (this.starting = Symbol("play"));
    this.setState("loading");
    const runs = await this.resume();
    if (this.starting !== starting) return; // paused, and perhaps played again, meanwhile
    this.starting = null;
    if (runs) this.start(this.at);
    else this.setState("paused");
  }

  /**
   * Starts the context, which a touch or key permits; Safari refuses it while a call has the audio.
   * @returns {Promise<boolean>} whether it runs
   */
  async resume() {
    if (!(this.context instanceof AudioContext) || this.context.state === "running") return true;
    return this.context.resume().then(() => true, () => false);
  }

  pause() {
    if (!this.playing) return;
    this.starting = null;
    this.at = this.position;
    this.stop();
    this.setState("paused");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** @param {number} frame of the song */
  seek(frame) {
    const target = Math.round(Math.min(Math.max(frame, 0), this.frames));
    const { scheduling } = this;
    if (scheduling) this.stop();
    this.at = target;
    if (this.state === "ended") this.setState("paused");
    if (scheduling) this.start(target);
    else this.prefetch();
    this.dispatchEvent(new Event("moved"));
  }

  /** Changes the loop without a gap in what sounds. @param {Loop | null} loop */
  setLoop(loop) {
    const least = Math.round(MIN_LOOP_SECONDS * this.rate);
    if (loop) {
      const start = Math.round(Math.min(Math.max(loop.start, 0), this.frames - least));
      const end = Math.round(Math.min(Math.max(loop.end, start + least), this.frames));
      this.loop = { start, end };
    } else this.loop = null;
    this.stretcher?.setLoop(this.loop);
    if (this.playing && this.loop && this.position >= this.loop.end) this.seek(this.loop.start);
    else if (this.playing && !this.stretcher) this.reschedule();
    this.dispatchEvent(new Event("moved"));
  }

  /**
   * Plays at another speed or pitch; at 1 and 0, pieces are joined to the sample again.
   * @param {number} speed
   * @param {number} semitones
   */
  async setTempo(speed, semitones) {
    const stretched = speed !== 1 || semitones !== 0;
    if (stretched) await (this.loaded ??= Stretcher.load(this.context));
    [this.speed, this.semitones] = [speed, semitones];
    if (stretched !== Boolean(this.stretcher)) {
      const { scheduling, position } = this;
      if (scheduling) this.stop();
      this.at = position;
      this.stretcher?.node.disconnect();
      this.stretcher = stretched ? new Stretcher(this.context, this.mixer, this, () => this.fill()) : null;
      this.stretcher?.setLoop(this.loop);
      this.stretcher?.set(speed, semitones);
      if (scheduling) this.start(position);
    } else this.stretcher?.set(speed, semitones);
    this.dispatchEvent(new Event("moved"));
  }

  // scheduling

  /** @param {number} song */
  start(song) {
    this.cursor = { song, context: this.now + this.margin };
    this.fadeIn(this.cursor.context);
    this.stretcher?.play(song);
    clearInterval(this.timer);
    this.timer = setInterval(() => this.fill(), TICK_MS);
    this.fill();
  }

  stop() {
    clearInterval(this.timer);
    const end = this.context.currentTime + this.fadeSeconds;
    if (this.fadeSeconds) this.mixer.fade.moveTo(0, this.context.currentTime, this.fadeSeconds);
    this.stretcher?.stop();
    for (const { sources } of this.placed) for (const source of sources) source.stop(end);
    this.placed = [];
    this.cursor = null;
  }

  /** @param {number} frame of the context */
  fadeIn(frame) {
    if (!this.fadeSeconds) return;
    const begin = Math.max(frame / this.rate, this.context.currentTime + this.fadeSeconds);
    this.mixer.fade.append(0, 1, begin, this.fadeSeconds);
  }

  /** Schedules what has to sound within the look-ahead. */
  fill() {
    if (!this.scheduling) return;
    if (this.stretcher) {
      this.feedStretcher(this.stretcher);
      return;
    }
    const { now } = this;
    this.prune(now);
    while (this.cursor && this.cursor.context < now + this.lookahead) {
      const found = nextSegment(this.cursor, this);
      if (!found) {
        this.cursor = null;
        break;
      }
      const buffers = this.pieces.get(found.segment.piece);
      if (!buffers) break;
      if (this.cursor.context < now + this.margin / 2) {
        // it came too late: all stems start together, a little later
        this.cursor = { song: this.cursor.song, context: now + this.margin };
        continue;
      }
      this.place(found.segment, buffers);
      this.cursor = found.next;
    }
    this.settle(now);
    this.prefetch();
  }

  /** @param {Stretcher} stretcher */
  feedStretcher(stretcher) {
    if (stretcher.ended) {
      this.at = this.frames;
      this.stop();
      this.setState("ended");
      return;
    }
    this.cursor = { song: this.position, context: this.now };
    this.prefetch();
    stretcher.feed(this.pieces.ready);
    const here = Math.floor(this.position / this.pieceFrames);
    const waiting = [here, here + 1].some((piece) => this.pieces.backingOff.has(piece));
    this.setState(!stretcher.starving ? "playing" : waiting ? "waiting" : "loading");
  }

  /** @param {Segment} segment @param {AudioBuffer[]} buffers */
  place(segment, buffers) {
    const { rate } = this;
    const sources = this.mixer.stems.map((stem, index) => {
      const source = new AudioBufferSourceNode(this.context, { buffer: buffers[index] });
      source.connect(this.mixer.input(stem));
      source.start(segment.context / rate, segment.offset / rate);
      source.stop((segment.context + segment.frames - STOP_EARLY) / rate);
      return source;
    });
    sources[0].onended = () => this.fill(); // a second clock, for tabs whose timers rest
    this.placed.push({ segment, sources });
  }

  /** Cancels what is scheduled but not audible yet, and schedules it again. */
  reschedule() {
    const cut = this.now + this.margin;
    const kept = [];
    let last = null;
    for (const one of this.placed) {
      const { segment, sources } = one;
      if (segment.context >= cut) {
        for (const source of sources) {
          source.onended = null;
          source.stop();
          source.disconnect();
        }
        continue;
      }
      if (segment.context + segment.frames > cut) {
        segment.frames = cut - segment.context;
        for (const source of sources) source.stop((cut - STOP_EARLY) / this.rate);
      }
      kept.push(one);
      last = segment;
    }
    this.placed = kept;
    if (last) this.cursor = { song: last.song + last.frames, context: last.context + last.frames };
    if (last && this.loop && last.song + last.frames >= this.loop.end && last.song < this.loop.end) {
      this.cursor = { song: this.loop.start, context: last.context + last.frames };
    }
    this.fill();
  }

  /** @param {number} now */
  prune(now) {
    while (this.placed.length > 1 && this.placed[1].segment.context <= now) {
      const { segment } = /** @type {Placed} */ (this.placed.shift());
      this.at = segment.song + segment.frames;
    }
  }

  /** @param {number} now */
  settle(now) {
    const last = this.placed.at(-1)?.segment;
    const sounding = last !== undefined && last.context + last.frames > now;
    if (sounding) this.setState("playing");
    else if (!this.cursor) {
      this.at = this.frames;
      this.stop();
      this.setState("ended");
    } else {
      const piece = Math.floor(this.cursor.song / this.pieceFrames);
      this.setState(this.pieces.backingOff.has(piece) ? "waiting" : "loading");
    }
  }

  prefetch() {
    const seconds = this.pieceFrames / this.rate;
    const last = Math.ceil(this.frames / this.pieceFrames) - 1;
    const pieceOf = (/** @type {number} */ frame) => Math.min(Math.floor(frame / this.pieceFrames), last); // also at the end
    const here = pieceOf(this.cursor?.song ?? this.position);
    const sounding = pieceOf(this.position);
    /** @type {Set<number>} */
    const pieces = new Set([here]);
    const add = (/** @type {number} */ from, /** @type {number} */ to) => {
      for (let piece = Math.max(from, 0); piece <= Math.min(to, last); piece++) pieces.add(piece);
    };
    add(here, here + 1);
    if (this.loop) add(pieceOf(this.loop.start), pieceOf(this.loop.start) + 1);
    add(here, here + Math.ceil(AHEAD_SECONDS / seconds));
    add(sounding - Math.ceil(BEHIND_SECONDS / seconds), sounding);
    this.pieces.request([...pieces]);
  }

  /** @param {State} state */
  setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
