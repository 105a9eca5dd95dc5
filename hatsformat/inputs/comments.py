"""Text without its comments: lines that begin with a sign, wherever they stand."""

from __future__ import annotations

import io
import re
from typing import Any

BLOCK_BYTES = 1 << 20


class _WithoutComments(io.RawIOBase):
    def __init__(self, stream: Any, sign: str) -> None:
        self._stream = stream
        self._comment = re.compile(rb"^[ \t]*" + re.escape(sign.encode()) + rb"[^\n]*(\n|\Z)", re.MULTILINE)
        self._rest = b""  # the start of a line whose end is not read yet
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


def without_comments(stream: Any, sign: str) -> io.BufferedReader:
    """Return a text file, opened for reading bytes, without the lines that begin with a sign."""
    return io.BufferedReader(_WithoutComments(stream, sign), BLOCK_BYTES)
