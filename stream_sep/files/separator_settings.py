"""What the settings of a separation mean for separators that are no Demucs models."""

from __future__ import annotations

from typing import Any

from stream_sep.errors import ConfigError
from stream_sep.files.settings import SeparationSettings
from stream_sep.separators import is_known, option_names


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


def check_settings(settings: SeparationSettings) -> None:
    """Check that a model uses the settings that are given; only Demucs uses all of them.

    Raises:
        ConfigError: it has no such setting, or the number of threads is less than 1.
        SeparatorError: an unknown separator.
    """
    if settings.threads is not None and settings.threads < 1:
        raise ConfigError(f"--threads must be at least 1, not {settings.threads}")
    if not is_known(settings.model) or settings.model == "demucs":
        return
    usual = SeparationSettings()
    given = {
        "--overlap": settings.overlap != usual.overlap,
        "--segment": settings.segment is not None,
        "--precision bfloat16": settings.precision == "bfloat16",
        "--repo": settings.repo is not None,
    }
    unused = next((option for option, is_set in given.items() if is_set), None)
    if unused is not None:
        raise ConfigError(f"{settings.model} has no use for {unused}, which is for Demucs models; leave it out")
    if settings.threads not in {None, 1} and "threads" not in option_names(settings.model, settings.options):
        raise ConfigError(
            f"{settings.model} has no option threads: it computes in one; leave --threads {settings.threads} out, "
            "or separate several songs at once with --jobs"
        )
