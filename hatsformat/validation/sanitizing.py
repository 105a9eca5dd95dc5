"""Text from a catalog made safe to show: nothing in it moves a cursor, turns a line round or is not text."""

from __future__ import annotations

import re

from hatsformat.errors import HatsError

# C0 and C1 controls, line and paragraph separators, marks that turn the direction of text or take no room,
# surrogates (bytes of a name that are not UTF-8) and what Unicode keeps for none.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text in one line, with what cannot be seen written as in Python.

    Parameters
    ----------
    text : str
        Anything: the name of a file, a value of a properties file.

    Returns
    -------
    str
        Without control characters, and such that it can be encoded in UTF-8.

    Examples
    --------
    >>> visible("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return _INVISIBLE.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def encodable(text: str) -> str:
    """Return text, or JSON, with lone surrogates as escapes, so that it can be encoded in UTF-8."""
    return text if text.isascii() else _SURROGATE.sub(_written, text)


def one_line(value: object, limit: int = 120) -> str:
    """Return a value as one short line that can be encoded in UTF-8."""
    text = str(value)
    text = encodable(" ".join(text[: 2 * limit + 1_000].split()))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def error_text(error: BaseException) -> str:
    """Return what an exception says, with its type unless the package raised it itself."""
    return error.message if isinstance(error, HatsError) else f"{type(error).__name__}: {error}"
