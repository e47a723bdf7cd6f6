"""Mixes of stored stems, as they were heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.errors import SeparatorError

if TYPE_CHECKING:
    from bridge.web.service.context import Service
    from bridge.web.service.lease import Lease
    from bridge.web.service.queue import Claim


def render_mix_job(service: Service, claimed: Claim, lease: Lease) -> None:  # noqa: ARG001 - soon
    """Render the mix of a job."""
    raise SeparatorError("mixes are not rendered yet")
