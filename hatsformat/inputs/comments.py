"""Remove comments from text: lines that begin with a prefix, after any blanks."""

from __future__ import annotations

import io
import re
from typing import Any

BLOCK_BYTES = 1 << 20


class _WithoutComments(io.RawIOBase):
    def __init__(self, stream: Any, prefix: str) -> None:
        self._stream = stream
        self._comment = re.compile(rb"^[ \t]*" + re.escape(prefix.encode()) + rb"[^\n]*(\n|\Z)", re.MULTILINE)
        self._rest = b""  # an incomplete line
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._ready:
            block = self._stream.read(BLOCK_BYTES)
            text = self._rest + block
            end = text.rfind(b"\n") + 1 if block else len(text)
            self._ready, self._rest = memoryview(self._comment.sub(b"", text[:end])), text[end:]
            if not block:
                break
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def without_comments(stream: Any, prefix: str) -> io.BufferedReader:
    """Wrap a binary stream so that it skips the lines that begin with `prefix`."""
    return io.BufferedReader(_WithoutComments(stream, prefix), BLOCK_BYTES)
