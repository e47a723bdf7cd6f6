// @ts-check
// Title and buttons on the lock screen and on media keys.

/** @param {import("./view.js").PlayerView} view */
export function followLockScreen(view) {
  if (!("mediaSession" in navigator)) return;
  const { mediaSession } = navigator;
  const { title, artist, album, cover } = view.song;
  const artwork = cover ? [{ src: `${view.base}/cover`, type: "image/jpeg" }] : [];
  mediaSession.metadata = new MediaMetadata({ title: title || "Song", artist: artist ?? "", album: album ?? "", artwork });
  mediaSession.setActionHandler("play", () => !view.playing && view.toggle());
  mediaSession.setActionHandler("pause", () => view.playing && view.toggle());
  mediaSession.setActionHandler("seekbackward", ({ seekOffset }) => view.skip(-(seekOffset ?? 5)));
  mediaSession.setActionHandler("seekforward", ({ seekOffset }) => view.skip(seekOffset ?? 5));
  mediaSession.setActionHandler("seekto", ({ seekTime }) => view.seek((seekTime ?? 0) * view.song.sample_rate));
  view.stage?.player.addEventListener("state", () => {
    mediaSession.playbackState = view.playing ? "playing" : "paused";
  });
}
