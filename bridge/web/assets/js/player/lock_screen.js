// @ts-check
// Title and buttons on the lock screen and on media keys.

/**
 * Shows a song there until the function that is returned is called.
 * @param {import("./view.js").PlayerView} view
 * @returns {() => void}
 */
export function followLockScreen(view) {
  if (!("mediaSession" in navigator)) return () => {};
  const { mediaSession } = navigator;
  const { title, artist, album, cover } = view.song;
  const artwork = cover ? [{ src: `${view.base}/cover`, type: "image/jpeg" }] : [];
  mediaSession.metadata = new MediaMetadata({ title: title || "Song", artist: artist ?? "", album: album ?? "", artwork });
  /** @type {[MediaSessionAction, MediaSessionActionHandler][]} */
  const handlers = [
    ["play", () => (!view.playing || view.stalled) && view.toggle()],
    ["pause", () => view.playing && view.toggle()],
    ["seekbackward", ({ seekOffset }) => view.skip(-(seekOffset ?? 5))],
    ["seekforward", ({ seekOffset }) => view.skip(seekOffset ?? 5)],
    ["seekto", ({ seekTime }) => view.seek((seekTime ?? 0) * view.song.sample_rate)],
  ];
  for (const [action, handler] of handlers) handle(action, handler);
  const showState = () => (mediaSession.playbackState = view.playing ? "playing" : "paused");
  const player = view.stage?.player;
  player?.addEventListener("state", showState);
  return () => {
    player?.removeEventListener("state", showState);
    for (const [action] of handlers) handle(action, null);
    mediaSession.metadata = null;
    mediaSession.playbackState = "none";
  };
}

/** @param {MediaSessionAction} action @param {MediaSessionActionHandler | null} handler */
function handle(action, handler) {
  try {
    navigator.mediaSession.setActionHandler(action, handler);
  } catch {
    // a browser that lacks an action throws, and the song plays all the same
  }
}
