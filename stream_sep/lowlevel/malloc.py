"""Settings of glibc's malloc: keep freed memory for the next tensors, as new pages from the system are slow."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of mallopt, as malloc.h of glibc numbers them
_MAX_INT = 2**31 - 1


def disable_malloc_trim() -> None:
    """Keep freed memory in this process, in one heap for all threads, for its next allocations.

    Tensors of networks are tens of megabytes each. glibc returns such blocks to the system at once, which clears
    them, page by page, when they are allocated again a moment later: a tenth of the time of a separation, and up to
    half of a training's. Other C libraries are not changed.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for setting, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _MAX_INT), (_ARENA_MAX, 1)):
            library.mallopt(setting, value)
