"""The render worker in its own process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.player.commands import PlaybackCommand
from stream_sep.player.playhead_map import SharedPlayheadMap
from stream_sep.player.render_ahead import HOP
from stream_sep.player.render_worker import ring_slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.effects.chained_separator import Chains


class ProcessRenderWorker(ProcessWorker):
    """Renders in a process that is restarted when it dies: the prepared audio lasts longer than a restart.

    Args:
        name: the live separator, as for `load_separator`.
        sample_rate: frames per second.
        options: the separator's options; plain values only.
        report: called with a message when the process dies, is back, or cannot read a file.
        block: largest block of the audio thread, in frames.
        chains: the initial effects.
        chain_reserve: frames of latency kept for effects; with neither this nor ``chains`` there can be none later.
        meanwhile: what plays during a restart, as part of the message.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: invalid chains, or are later than the reserve.
    """

    child = "stream_sep.player.render_process"

    def __init__(
        self,
        name: str,
        sample_rate: int,
        options: Mapping[str, Any],
        report: Callable[[str], None],
        *,
        block: int,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        self.playhead_map = SharedPlayheadMap.create(ring_slots(sample_rate), HOP)
        self._block = block
        self._command = PlaybackCommand(playing=False)
        self._is_begun = False
        try:
            super().__init__(
                name, sample_rate, options, report, chains=chains, chain_reserve=chain_reserve, meanwhile=meanwhile
            )
        except BaseException:
            self.playhead_map.close()
            raise

    def command(self, command: PlaybackCommand) -> None:
        """Apply ``command`` as soon as possible."""
        self._command = command
        if self._is_begun:
            self._client.notify({"command": command.to_dict()})
            if self._process.exit_code is None:  # else the process that comes back jumps
                self._command = replace(command, frame=None)

    def update_sources(self, command: PlaybackCommand) -> None:
        """Use new refined stems and the next song."""
        self._command = command
        if self._is_begun:
            self._client.notify({"sources": command.to_dict()})

    def start(self, rings: SharedRings) -> None:
        """Start rendering into ``rings`` in the process, and supervise it."""
        super().start(rings)
        self._is_begun = True

    def stop(self) -> None:
        """End the process and its supervision."""
        super().stop()
        self.playhead_map.close()

    def _task(self, *, join: bool) -> dict[str, Any]:
        return {
            **super()._task(join=join),
            "playhead_map": self.playhead_map.describe(),
            "command": self._command.to_dict(),
            "block": self._block,
        }
