"""Make text from a catalog safe to print, without control characters."""

from __future__ import annotations

import re

from hatsformat.errors import HatsError

# C0 and C1 controls, line and paragraph separators, direction marks, zero-width characters,
# surrogates (bytes of a name that are not UTF-8) and noncharacters.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text as one line, with invisible characters escaped as in Python.

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
    """Return the text of an exception, with its type unless it is a `HatsError`."""
    return error.message if isinstance(error, HatsError) else f"{type(error).__name__}: {error}"
