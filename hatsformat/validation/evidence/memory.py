"""The memory pool of Arrow while rows are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

_KEPT_MS = 10_000
_USUAL_MS = 1_000
"""What Arrow sets for jemalloc itself."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let Arrow reuse the memory of a batch for the next one.

    Its usual pool gives freed pages back to the system within milliseconds, and takes new ones, which have to
    be cleared first: where pages are slow, as on virtual machines, that is a tenth of the time. A pool that
    somebody has chosen is left alone.
    """
    usual = pa.default_memory_pool()
    if usual.backend_name != "mimalloc" or "jemalloc" not in pa.supported_memory_backends():
        yield
        return
    pa.jemalloc_set_decay_ms(_KEPT_MS)
    pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)
        pa.jemalloc_set_decay_ms(_USUAL_MS)
