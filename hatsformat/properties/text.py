"""Read and write the text of properties files (Note, section 3.6.1).

The note requires UTF-8, one ``keyword = value`` per line, and comments that start with ``#``. Its example
escapes the colon in a date, as Java does, and existing tools use a Java-properties library. So reading
follows ``java.util.Properties`` completely. Writing only uses syntax that both a Java reader and a reader
that just splits lines at ``=`` understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hatsformat.properties.document import Comment, Entry, PropertiesDocument
from hatsformat.properties.problems import Problem

_BLANKS = " \t\f"
_LINE_END = re.compile(r"\r\n|\r|\n")
_KEYWORD = re.compile(r"(?:[^\\ \t\f=:]|\\.)*+", re.DOTALL)
_SEPARATOR = re.compile(r"[ \t\f]*+[=:]?[ \t\f]*+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

# Characters that some readers treat as line ends, or drop. A byte-order mark in a value is not escaped,
# because the library that hats uses would drop it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\\\]")
_UNSAFE_IN_KEYWORD = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\\\\=:]")
_ESCAPED = {
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\f": "\\f",
    " ": "\\ ",
    "=": "\\=",
    ":": "\\:",
}

_BYTE_OF_SURROGATE = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


def parse_properties_text(source: str | bytes) -> tuple[PropertiesDocument, list[Problem]]:
    r"""Read the text of a properties file; never raises.

    The rules are those of ``java.util.Properties``: ``=``, ``:`` or blanks between keyword and value; ``#``
    or ``!`` for comments; ``\t``, ``\n``, ``\r``, ``\f``, ``\uXXXX``, and ``\`` before any other character
    for the character itself; ``\`` at the end of a line joins the next one; lines end in LF, CRLF or CR.
    Text that Java would reject is kept and reported: bytes that are not UTF-8 are read as Latin-1, and a
    ``\u`` without four hexadecimal digits is kept. The time is linear in the length.

    Parameters
    ----------
    source : str or bytes
        The content of a file.

    Returns
    -------
    document : PropertiesDocument
        The lines, in order, with the problems.
    problems : list of Problem
        The problems of the text, with their lines.
    """
    problems: list[Problem] = []
    text = _decode(source, problems) if isinstance(source, bytes) else source
    if text.startswith("\ufeff"):
        text = text[1:]
        fix = "save the file as UTF-8 without a byte-order mark"
        message = "the file begins with a byte-order mark, which other readers treat as text"
        problems.append(Problem("byte-order-mark", "warning", message, line=1, fix=fix))
    lines = tuple(_read_lines(text, problems))
    problems.extend(_duplicates(lines))
    return PropertiesDocument(lines, tuple(problems)), problems


def format_properties_text(document: PropertiesDocument) -> str:
    r"""Write a document as text: ``keyword=value`` lines that end in LF, comments and empty lines kept.

    Backslashes, control characters, characters that some readers treat as line ends, and a leading blank are
    escaped. Everything else is written as it is, so readers without escapes read nearly all values correctly.
    Reading the text returns the same document.

    Parameters
    ----------
    document : PropertiesDocument

    Returns
    -------
    str
        To be encoded as UTF-8.
    """
    parts = []
    for line in document.lines:
        if isinstance(line, Comment):
            parts.append(_format_comment(line.text))
        else:
            parts.append(f"{_format_keyword(line.keyword)}={_format_value(line.value)}\n")
    return "".join(parts)


def _decode(data: bytes, problems: list[Problem]) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(data[: error.start].decode("latin-1"))) + 1
        message = f"the file is not UTF-8 at byte {error.start}"
        found = f"0x{data[error.start]:02x}"
        fix = "convert the file to UTF-8"
        problems.append(Problem("encoding", "error", message, None, line, found, "UTF-8", fix))
    # Java reads Latin-1 by default, and such files nearly always are Latin-1.
    return data.decode("utf-8", "surrogateescape").translate(_BYTE_OF_SURROGATE)


def _read_lines(text: str, problems: list[Problem]) -> Iterator[Entry | Comment]:
    if not text:
        return
    natural = _LINE_END.split(text)
    if natural[-1] == "":
        natural.pop()
    position = 0
    while position < len(natural):
        first = position + 1
        content = natural[position].lstrip(_BLANKS)
        position += 1
        if not content or content[0] in "#!":
            yield Comment(content)
            continue
        if content == "\\":
            continue  # nothing, joined to the next line
        parts = []
        while _is_continued(content):
            parts.append(content[:-1])
            content = natural[position].lstrip(_BLANKS) if position < len(natural) else ""
            position += 1
        yield _read_entry("".join([*parts, content]), first, problems)


def _is_continued(line: str) -> bool:
    return line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _read_entry(line: str, number: int, problems: list[Problem]) -> Entry:
    match = _KEYWORD.match(line)
    end = match.end() if match else 0
    separator = _SEPARATOR.match(line, end)
    start = separator.end() if separator else end
    keyword = _unescape(line[:end], number, problems)
    if not keyword:
        message = "the line has no keyword"
        problems.append(
            Problem("no-keyword", "error", message, line=number, found=line, expected="keyword = value")
        )
    elif "=" not in line[end:start] and ":" not in line[end:start]:
        message = "the line has no separator and is read as a keyword without a value"
        if start > end:
            message = "the line has a blank instead of =, which not every reader accepts"
        problems.append(
            Problem(
                "no-separator",
                "warning",
                message,
                keyword=keyword,
                line=number,
                found=line,
                expected="keyword = value",
            )
        )
    return Entry(keyword, _unescape(line[start:], number, problems), number)


def _unescape(text: str, number: int, problems: list[Problem]) -> str:
    if "\\" in text:
        bad: list[int] = []

        def character(match: re.Match[str]) -> str:
            escape = match[1]
            if len(escape) > 1:
                return chr(int(escape[1:], 16))
            if escape == "u":
                bad.append(match.start())
                return "\\u"
            return _SHORT_ESCAPES.get(escape, escape)

        source, text = text, _ESCAPE.sub(character, text)
        if bad:
            problems.append(
                _bad_escape(number, source[bad[0] : bad[0] + 6], "\\u and four hexadecimal digits")
            )
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if _SURROGATE.search(text):
            problems.append(_bad_escape(number, ascii(text)[1:-1], "paired surrogates"))
    return text


def _bad_escape(line: int, found: str, expected: str) -> Problem:
    message = "invalid escape sequence"
    fix = "write the character itself, and write a backslash as two"
    return Problem("bad-escape", "error", message, line=line, found=found, expected=expected, fix=fix)


def _duplicates(lines: Iterable[Entry | Comment]) -> Iterator[Problem]:
    seen: dict[str, Entry] = {}
    for line in lines:
        if isinstance(line, Entry) and line.keyword:
            before = seen.get(line.keyword)
            if before is not None:
                same = before.value == line.value
                yield Problem(
                    "duplicate-keyword",
                    "warning" if same else "error",
                    f"duplicate keyword {line.keyword}, also on line {before.line}; the last one is used",
                    keyword=line.keyword,
                    line=line.line,
                    found=line.value,
                    expected=None
                    if same
                    else f"the same value as on line {before.line}: {before.value[:80]!r}",
                    fix="remove one of the lines",
                )
            seen[line.keyword] = line


def _format_comment(text: str) -> str:
    text = _SURROGATE.sub("\ufffd", _LINE_END.sub(" ", text)).lstrip(_BLANKS)
    if text and text[0] not in "#!":
        text = f"#{text}"
    if text[1:2] == ":":
        # One Java-properties library takes "#:" for metadata of the next line, and fails on some.
        text = f"{text[0]} {text[1:]}"
    return f"{text}\n"


def _format_keyword(keyword: str) -> str:
    text = _UNSAFE_IN_KEYWORD.sub(_escaped, keyword)
    return f"\\{text}" if text[:1] in ("#", "!") else text


def _format_value(value: str) -> str:
    text = _UNSAFE.sub(_escaped, value)
    return f"\\{text}" if text.startswith(" ") else text


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _ESCAPED.get(character) or f"\\u{ord(character):04x}"
