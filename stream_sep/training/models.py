"""The interface of a network in training: sound in, stems out, many hops at once, with a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

ModelState: TypeAlias = tuple[Tensor, ...]
"""The state of a network over a batch; the batch is axis 0 of the first tensor. Empty for windows."""


class TrainableSeparator(Protocol):
    """A network in training, whatever its kind; a torch module.

    It is given ``context_frames + hops * hop`` frames and separates all but the last of the hops, which may be
    shorter where it plays in shorter ones, from frame ``first_output_frame`` on.

    Attributes:
        hop: frames per step.
        context_frames: frames before the first hop.
        first_output_frame: where its output begins.
        stems: names of its outputs, which add up to the mix or are trained to.
        network: the module whose weights are kept.
    """

    hop: int
    context_frames: int
    first_output_frame: int
    stems: tuple[str, ...]

    @property
    def network(self) -> nn.Module:
        """The module whose weights are kept."""
        ...

    def initial_state(self, batch: int) -> ModelState:
        """Return the state before the first frame."""
        ...

    def separate(self, mix: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return stems ``(batch, stems, 2, frames)`` of a mix ``(batch, 2, context_frames + hops * hop)``.

        Args:
            mix: ``(batch, 2, context_frames + hops * hop)``.
            state: from `initial_state` or the previous call.
        """
        ...


def align_crops(sounds: Sequence[tuple[Tensor, int]], start: int) -> list[Tensor]:
    """Return the frames that all sounds have, from ``start`` on; each sound has its own first frame.

    Args:
        sounds: pairs of first frame and audio, ``(..., frames)``.
        start: first frame of the result.
    """
    end = min(begin + sound.shape[-1] for sound, begin in sounds)
    return [sound[..., start - begin : end - begin] for sound, begin in sounds]
