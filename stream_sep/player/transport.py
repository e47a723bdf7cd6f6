"""The transport: play, seek, loop, speed and pitch, from the control tree to the render worker and back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from stream_sep.control.transport import NOWHERE, TRANSPORT
from stream_sep.errors import ConfigError
from stream_sep.files.tracks import readable
from stream_sep.player.commands import PlaybackCommand
from stream_sep.player.time_stretch import check_stretch

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.control.state import ControlState
    from stream_sep.player.playlist import Playlist
    from stream_sep.player.render_worker import RenderWorker

MIN_LOOP_SECONDS = 0.1
"""Shortest loop in seconds: shorter ones are a tone, not music."""

_RESTART_SECONDS = 3.0  # later than this in a song, "previous" restarts it


class Transport:
    """Connects the transport controls with the render worker.

    Args:
        controls: the controls; those of `transport_parameters` among them.
        renderer: renders the songs.
        playlist: the songs.
        rate: frames per second.
        captured: returns the current frame of the stream.
        report: called with messages about commands that fail.
    """

    def __init__(
        self,
        controls: ControlState,
        renderer: RenderWorker,
        playlist: Playlist,
        rate: int,
        *,
        captured: Callable[[], int],
        report: Callable[[str], None],
    ) -> None:
        self._controls, self._renderer, self._playlist = controls, renderer, playlist
        self._rate, self._captured, self._report = rate, captured, report
        self._lock = threading.RLock()
        self.is_over, self._is_stopped, self._last = False, False, 0.0
        controls.publish({"transport/tracks": len(playlist.paths)})
        self._publish_song()
        self._order(0)
        controls.subscribe(self._on_change)

    @property
    def position(self) -> float:
        """Playback position in the song, in seconds; the last known one while it is unknown."""
        exact = self.exact_position
        self._last = self._last if exact is None else exact
        return self._last

    @property
    def exact_position(self) -> float | None:
        """Playback position in seconds; None while another song is audible or the position is unknown."""
        position_now = None if self._is_stopped else self._renderer.playhead_map.position_at(self._captured())
        if position_now is None or position_now[0] != self._playlist.current.number:
            return None
        return position_now[1] / self._rate

    def refine(self, number: int, refined: dict[str, Any]) -> None:
        """Attach refined stems to song ``number``, if it is still loaded.

        Args:
            number: the song's number.
            refined: description of its stems, as `open_stems` reads it.
        """
        with self._lock:
            for song in (self._playlist.current, self._playlist.following):
                if song is not None and song.number == number:
                    song.refined = refined
                    self._renderer.update_sources(self._command(None))

    def stop(self) -> None:
        """Freeze the position, as the render worker is about to end."""
        with self._lock:
            self._last = self.position
            self._is_stopped = True

    def tick(self) -> None:
        """Publish the position, and detect the start of the next song and the end."""
        with self._lock:
            if self._playlist.prepare_next():
                self._renderer.update_sources(self._command(None))
            position_now = self._renderer.playhead_map.position_at(self._captured())
            following = self._playlist.following
            if position_now is not None and following is not None and position_now[0] == following.number:
                self._playlist.advance()
                self._controls.publish({"transport/loop/on": False})
                self._publish_song()
                self._playlist.prepare_next()
                self._renderer.update_sources(self._command(None))
            position, current = self.position, self._playlist.current
            self._controls.publish({"transport/position": position, "transport/length": current.seconds(self._rate)})
            frames = current.sound.frames
            self.is_over = frames is not None and following is None and position * self._rate >= frames
            if self.is_over and current.track + 1 >= len(self._playlist.paths):
                self._controls.publish({"transport/play": False})

    def seek(self, seconds: float) -> None:
        """Jump to a time in the current song."""
        with self._lock:
            self._jump(round(max(0.0, seconds) * self._rate))

    def _on_change(self, path: str) -> None:
        if not path.startswith(TRANSPORT) or self._controls.parameters[path].readonly:
            return
        with self._lock:
            action = {"seek": self._seek, "next": self._next, "previous": self._previous, "track": self._choose}
            name = path.removeprefix(TRANSPORT)
            if name in action:
                action[name]()
            elif name in {"speed", "pitch"} and not self._can_stretch():
                self._controls.publish({"transport/speed": 1.0, "transport/pitch": 0.0})
            elif name == "play" and self._controls[path] and self.is_over:
                self._jump(0)
            elif name.startswith("loop/") and self._is_behind_loop():
                self._jump(self._loop()[0])
            else:
                self._order(None)

    def _is_behind_loop(self) -> bool:
        return bool(self._controls["transport/loop/on"]) and self.position * self._rate > self._loop()[1]

    def _can_stretch(self) -> bool:
        if self._controls["transport/speed"] == 1 and self._controls["transport/pitch"] == 0:
            return True
        try:
            check_stretch()
        except ConfigError as error:
            self._report(str(error))
            return False
        return True

    def _seek(self) -> None:
        seconds = float(self._controls["transport/seek"])
        if seconds == NOWHERE:
            return
        self._controls.publish({"transport/seek": NOWHERE})
        self.seek(seconds)

    def _next(self) -> None:
        if self._controls["transport/next"]:
            self._controls.publish({"transport/next": False})
            self._change_song(self._playlist.current.track + 1)

    def _previous(self) -> None:
        if not self._controls["transport/previous"]:
            return
        self._controls.publish({"transport/previous": False})
        if self.position > _RESTART_SECONDS or self._playlist.current.track == 0:
            self._jump(0)
        else:
            self._change_song(self._playlist.current.track - 1, -1)

    def _choose(self) -> None:
        track = round(float(self._controls["transport/track"])) - 1
        if track != self._playlist.current.track:
            self._change_song(min(track, len(self._playlist.paths) - 1))
            self._publish_song()

    def _change_song(self, track: int, step: int = 1) -> None:
        following = self._playlist.following
        song = following if following is not None and following.track == track else self._playlist.load(track, step)
        if song is None:
            return
        self._playlist.jump(song)
        self._controls.publish({"transport/loop/on": False})
        self._publish_song()
        self._jump(0)

    def _publish_song(self) -> None:
        song = self._playlist.current
        self._last = 0.0
        self._controls.publish(
            {
                "transport/track": song.track + 1,
                "transport/title": readable(song.song.path.name),
                "transport/position": 0.0,
                "transport/length": song.seconds(self._rate),
                "transport/refined": 0.0,
            }
        )

    def _jump(self, frame: int) -> None:
        frames = self._playlist.current.sound.frames
        self.is_over = False
        target = frame if frames is None else min(frame, frames)
        self._last = target / self._rate
        self._order(target)

    def _order(self, frame: int | None) -> None:
        self._renderer.command(self._command(frame))

    def _command(self, frame: int | None) -> PlaybackCommand:
        values, following = self._controls.snapshot(), self._playlist.following
        return PlaybackCommand(
            song=self._playlist.current.link,
            next_song=None if following is None else following.link,
            playing=bool(values["transport/play"]),
            frame=frame,
            loop=self._loop() if values["transport/loop/on"] else None,
            speed=float(values["transport/speed"]),
            pitch=float(values["transport/pitch"]),
        )

    def _loop(self) -> tuple[int, int]:
        start, end = (float(self._controls[f"transport/loop/{name}"]) for name in ("start", "end"))
        if end <= start:
            end = max(self._playlist.current.seconds(self._rate), start)
        return round(start * self._rate), round(max(end, start + MIN_LOOP_SECONDS) * self._rate)
