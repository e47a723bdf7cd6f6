"""What the settings of a separation mean for separators that are no Demucs models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.separators import is_known, option_names

if TYPE_CHECKING:
    from stream_sep.files.settings import SeparationSettings


def separator_options(settings: SeparationSettings) -> dict[str, Any]:
    """Return the options for `load_separator`: those of the settings, and threads and device where it has them.

    An option that is named beats a setting. Threads are skipped where a separator has none, as parallel songs get a
    share of them unasked.

    Raises:
        ConfigError: a device is given that the separator cannot use.
        SeparatorError: an unknown separator.
    """
    known = option_names(settings.model, settings.options)
    if "device" not in known and settings.device not in {"auto", "cpu"}:
        raise ConfigError(
            f"{settings.model} has no option device: it computes on the CPU; leave --device {settings.device} out"
        )
    options: dict[str, Any] = {}
    if "device" in known:
        options["device"] = settings.device
    if "threads" in known and settings.threads is not None:
        options["threads"] = settings.threads
    return {**options, **settings.options}


def check_threads(settings: SeparationSettings) -> None:
    """Check that a model has threads to set, if their number is given.

    On a cluster they are the cores of a worker too, so that every model has a use for them.

    Raises:
        ConfigError: it has none, or the number is less than 1.
        SeparatorError: an unknown separator.
    """
    if settings.threads is None:
        return
    if settings.threads < 1:
        raise ConfigError(f"--threads must be at least 1, not {settings.threads}")
    is_separator = is_known(settings.model) and settings.model != "demucs"
    if is_separator and "threads" not in option_names(settings.model, settings.options):
        raise ConfigError(
            f"{settings.model} has no option threads: it computes in one; leave --threads {settings.threads} out, "
            "or separate several songs at once with --jobs"
        )
