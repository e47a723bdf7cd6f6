"""Play, seek, loop and the rest: controls become orders, and what is heard becomes controls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from stream_sep.control.transport import NOWHERE, TRANSPORT
from stream_sep.errors import ConfigError
from stream_sep.files.tracks import readable
from stream_sep.player.commands import Orders
from stream_sep.player.time_stretch import check_stretch

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.control.state import ControlState
    from stream_sep.player.playlist import Playlist
    from stream_sep.player.render_worker import Player

SHORTEST_LOOP = 0.1
"""Seconds of the shortest loop: shorter ones are a tone, not music."""

_AGAIN_SECONDS = 3.0  # "previous" so long after the beginning of a song begins it again


class Transport:
    """Moves the songs of a playlist as controls say.

    Args:
        controls: the controls; those of `transport_parameters` among them.
        player: renders the songs.
        playlist: the songs.
        rate: frames per second.
        heard: gives the frame of the stream that is being heard.
        report: is told what cannot be done.
    """

    def __init__(
        self,
        controls: ControlState,
        player: Player,
        playlist: Playlist,
        rate: int,
        *,
        heard: Callable[[], int],
        report: Callable[[str], None],
    ) -> None:
        self._controls, self._player, self._playlist = controls, player, playlist
        self._rate, self._heard, self._report = rate, heard, report
        self._lock = threading.RLock()
        self.is_over, self._is_stopped, self._last = False, False, 0.0
        controls.publish({"transport/tracks": len(playlist.paths)})
        self._tell_song()
        self._order(0)
        controls.subscribe(self._hear)

    @property
    def position(self) -> float:
        """Seconds from the beginning of the song to what is being heard; of late, where nobody knows."""
        exact = self.exact_position
        self._last = self._last if exact is None else exact
        return self._last

    @property
    def exact_position(self) -> float | None:
        """The same; None while another song is heard, or nobody knows."""
        place = None if self._is_stopped else self._player.board.at(self._heard())
        if place is None or place[0] != self._playlist.current.number:
            return None
        return place[1] / self._rate

    def refine(self, number: int, refined: dict[str, Any]) -> None:
        """Let the song of a number have refined stems, if it is still one of those that play."""
        with self._lock:
            for song in (self._playlist.current, self._playlist.following):
                if song is not None and song.number == number:
                    song.refined = refined
                    self._player.supply(self._orders(None))

    def stop(self) -> None:
        """Remember where the song is: soon there will be nothing to ask."""
        with self._lock:
            self._last = self.position
            self._is_stopped = True

    def tick(self) -> None:
        """Follow what is heard: the position, the next song when it begins, the end."""
        with self._lock:
            if self._playlist.prepare_next():
                self._player.supply(self._orders(None))
            place = self._player.board.at(self._heard())
            following = self._playlist.following
            if place is not None and following is not None and place[0] == following.number:
                self._playlist.advance()
                self._controls.publish({"transport/loop/on": False})
                self._tell_song()
                self._playlist.prepare_next()
                self._player.supply(self._orders(None))
            position, current = self.position, self._playlist.current
            self._controls.publish({"transport/position": position, "transport/length": current.seconds(self._rate)})
            frames = current.sound.frames
            self.is_over = frames is not None and following is None and position * self._rate >= frames
            if self.is_over and current.track + 1 >= len(self._playlist.paths):
                self._controls.publish({"transport/play": False})

    def seek(self, seconds: float) -> None:
        """Go to a moment of the current song."""
        with self._lock:
            self._go_to(round(max(0.0, seconds) * self._rate))

    def _hear(self, path: str) -> None:
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
                self._go_to(0)
            elif name.startswith("loop/") and self._is_behind_loop():
                self._go_to(self._loop()[0])
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
            self._take(self._playlist.current.track + 1)

    def _previous(self) -> None:
        if not self._controls["transport/previous"]:
            return
        self._controls.publish({"transport/previous": False})
        if self.position > _AGAIN_SECONDS or self._playlist.current.track == 0:
            self._go_to(0)
        else:
            self._take(self._playlist.current.track - 1, -1)

    def _choose(self) -> None:
        track = round(float(self._controls["transport/track"])) - 1
        if track != self._playlist.current.track:
            self._take(min(track, len(self._playlist.paths) - 1))
            self._tell_song()

    def _take(self, track: int, step: int = 1) -> None:
        following = self._playlist.following
        song = following if following is not None and following.track == track else self._playlist.load(track, step)
        if song is None:
            return
        self._playlist.jump(song)
        self._controls.publish({"transport/loop/on": False})
        self._tell_song()
        self._go_to(0)

    def _tell_song(self) -> None:
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

    def _go_to(self, frame: int) -> None:
        frames = self._playlist.current.sound.frames
        self.is_over = False
        target = frame if frames is None else min(frame, frames)
        self._last = target / self._rate
        self._order(target)

    def _order(self, frame: int | None) -> None:
        self._player.order(self._orders(frame))

    def _orders(self, frame: int | None) -> Orders:
        values, following = self._controls.snapshot(), self._playlist.following
        return Orders(
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
        return round(start * self._rate), round(max(end, start + SHORTEST_LOOP) * self._rate)
