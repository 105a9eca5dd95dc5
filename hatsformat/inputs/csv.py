"""CSV and its kin: any delimiter, compressed or not, streamed through pyarrow's parser.

Types are inferred from the first block. Where a later value does not fit, the column is widened (integers
to floats to text) and the file is read again from the start, so that what was inferred never changes a
value: a code such as 007 is text, and so are integers too long for their company.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
from upath import UPath

from hatsformat.errors import HatsError, InputError
from hatsformat.inputs.base import (
    Chunk,
    FileSource,
    RereadError,
    check_names,
    open_stream,
    rechunk,
)
from hatsformat.inputs.comments import without_comments
from hatsformat.inputs.csv_types import WatchedStream, inexact_floats, narrowest_types

BLOCK_BYTES = 8 * 1024 * 1024
MIN_BLOCK = 512 * 1024
START_BYTES = 1024 * 1024
"""How much of a file its kind and its types are inferred from."""

LARGEST_ROW = 256 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")

_CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL
)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True, slots=True)
class CsvSource(FileSource):
    """One CSV file.

    Attributes
    ----------
    path : UPath
        The file; compression is recognised by its suffix.
    delimiter : str or None
        None takes the one that the header uses most.
    comment : str or None
        What begins lines that are passed over; None takes hashes for that, before the header only.
    column_types : mapping of str to pyarrow.DataType
        Columns whose type is settled.
    threads : bool
        Whether to parse with all cores; not where several files are read at once.
    newlines : bool
        Whether values in quotes hold line ends, so that the file cannot be cut at them.
    block_bytes : int or None
        How much to parse at a time, at least one row; None goes by the size of the chunks.
    """

    path: UPath
    delimiter: str | None = None
    comment: str | None = None
    column_types: Mapping[str, pa.DataType] = field(default_factory=dict)
    threads: bool = False
    newlines: bool = False
    block_bytes: int | None = None

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file in tables of about `target_bytes`.

        Raises
        ------
        InputError
            If it is empty, not text, or a row has more or fewer values than the header.
        RereadError
            If the types inferred so far do not hold.
        """
        start = self._start()
        if start.rows:
            # Arrow reads ahead, a block for each core and more.
            block = max(MIN_BLOCK, min(BLOCK_BYTES, target_bytes // 8))
            sized = self if self.block_bytes else replace(self, block_bytes=block)
            yield from rechunk(sized._batches(start), target_bytes)
            return
        bare = pa.BufferReader((start.header + "\n").encode())
        table = pv.read_csv(bare, parse_options=pv.ParseOptions(delimiter=start.delimiter))
        check_names(table.schema, self.path)
        yield Chunk(table, 1)

    def _batches(self, start: _Start) -> Iterator[pa.RecordBatch]:
        broken: list[Any] = []
        batch = None
        with closing(WatchedStream(self._open(), start.delimiter)) as watched:
            try:
                # Arrow reads much faster once it is told the types that it would infer.
                types = {**self._infer_types(start), **self.column_types}
                reader = self._reader(
                    pa.PythonFile(watched, "r"), start, types, handler=_collect_into(broken)
                )
                self._check_schema(reader.schema)
                for batch in reader:
                    self._check_types(watched.padded, batch)
                    yield _empty_to_null(batch)
                if watched.quotes % 2 and batch is not None and _last_row_has_newline(batch):
                    raise InputError(
                        "a quote is opened and never closed",
                        path=self.path,
                        found=f"{watched.quotes} quotes",
                    )
            except pa.ArrowException as error:
                raise self._input_error(error, broken, start) from error
            except HatsError:
                raise
            except (EOFError, lzma.LZMAError, OSError) as error:
                raise InputError(f"cannot be read: {error}", path=self.path) from error

    def _reader(
        self,
        stream: Any,
        start: _Start,
        types: Mapping[str, pa.DataType],
        names: Iterable[str] = (),
        handler: Any = None,
    ) -> Any:
        return pv.open_csv(
            stream,
            read_options=pv.ReadOptions(
                block_size=self.block_bytes or BLOCK_BYTES, use_threads=self.threads, skip_rows=start.skip
            ),
            parse_options=pv.ParseOptions(
                delimiter=start.delimiter,
                newlines_in_values=self.newlines or '"' in start.header,
                invalid_row_handler=handler,
            ),
            convert_options=pv.ConvertOptions(column_types=types, include_columns=list(names)),
        )

    def _infer_types(self, start: _Start) -> dict[str, pa.DataType]:
        """Return the types of the columns as they are inferred from the start; none where it cannot tell."""
        whole_lines = start.content[: start.content.rfind(b"\n") + 1]
        try:
            table = self._reader(pa.BufferReader(whole_lines), start, {}).read_all()
        except pa.ArrowException:
            return {}
        types = dict(zip(table.schema.names, table.schema.types, strict=True))
        return {name: kind for name, kind in types.items() if not pa.types.is_binary(kind)}

    def _check_schema(self, schema: pa.Schema) -> None:
        check_names(schema, self.path)
        if any(pa.types.is_binary(kind) for kind in schema.types):
            raise self._not_utf8()

    def _check_types(self, padded: bool, batch: pa.RecordBatch) -> None:
        """Ask for types that lose nothing of what is written, where the inferred ones might."""
        suspects = list(inexact_floats(batch, self.column_types))
        if padded:
            integers = (field.name for field in batch.schema if pa.types.is_int64(field.type))
            suspects += [name for name in integers if name not in self.column_types]
        if suspects:
            raise self._reread(column_types={**self.column_types, **self._narrowest_types(suspects)})

    def _narrowest_types(self, names: list[str]) -> dict[str, pa.DataType]:
        with self._open() as stream:
            text = dict.fromkeys(names, pa.string())
            return narrowest_types(self._reader(stream, self._start(), text, names))

    def _reread(self, **changes: Any) -> RereadError:
        return RereadError(replace(self, **changes))

    def _open(self) -> Any:
        stream = open_stream(self.path)
        return without_comments(stream, self.comment) if self.comment else stream

    def _start(self) -> _Start:
        content = b""
        try:
            with self._open() as stream:
                while len(content) < START_BYTES and (more := stream.read(START_BYTES - len(content))):
                    content += more
        except HatsError:  # a NotFoundError is an OSError, too
            raise
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise InputError(f"cannot be decompressed: {error}", path=self.path) from error
        if not content.removeprefix(b"\xef\xbb\xbf").strip():
            raise InputError("the file is empty", path=self.path, expected="a header and rows")
        if b"\0" in content:
            raise InputError("this is not a text file", path=self.path, hint="name its kind with --format")
        lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
        skip = _lines_before_header(lines)
        rows = len(content) == START_BYTES or any(line.strip() for line in lines[skip + 1 :])
        try:
            header = lines[skip].decode()
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        return _Start(header, self.delimiter or _guess_delimiter(header), skip, rows, content)

    def _not_utf8(self) -> InputError:
        return InputError("the text is not UTF-8", path=self.path, hint="convert it, for example with iconv")

    def _input_error(self, error: Exception, broken: list[Any], start: _Start) -> Exception:
        text = str(error)
        if found := _CONVERSION.search(text):
            return self._widen(int(found[1]), found[2], found[3], start)
        if broken:
            row = broken[0]
            return InputError(
                f"line {self._line_of(row.text)} is broken",
                path=self.path,
                found=f"{row.actual_columns} values",
                expected=f"{row.expected_columns}",
                hint="mend the line, or name the right --delimiter",
            )
        if "UTF8" in text or "UTF-8" in text:
            return self._not_utf8()
        if "out of sync" in text and not self.newlines:
            return self._reread(newlines=True)
        block = 4 * (self.block_bytes or BLOCK_BYTES)
        if "straddl" in text and block <= LARGEST_ROW:
            return self._reread(newlines=True, block_bytes=block)
        return InputError(f"cannot be read as CSV: {text.splitlines()[0]}", path=self.path)

    def _widen(self, index: int, kind: str, value: str, start: _Start) -> Exception:
        with self._open() as stream:
            name = self._reader(stream, start, {}).schema.names[index]
        if name in self.column_types and kind == "string":
            return InputError(f"the column {name!r} is not text", path=self.path, found=value)
        wider: pa.DataType = pa.string()
        if _NUMBER.fullmatch(value) and kind in ("int64", "null"):
            wider = self._narrowest_types([name])[name] if kind == "int64" else pa.int64()
        return self._reread(column_types={**self.column_types, name: wider})

    def _line_of(self, text: str) -> str:
        """Return the number of the line that reads `text`, from 1 with the header."""
        wanted = text.strip("\r\n").encode()
        with open_stream(self.path) as stream:
            for number, line in enumerate(_read_lines(stream), start=1):
                if line.strip(b"\r\n") == wanted:
                    return str(number)
        return f"{text[:60]!r}"


@dataclass(frozen=True, slots=True)
class _Start:
    """The start of a file: its header, what parts the columns, lines before it, whether rows follow, and the
    bytes themselves.
    """

    header: str
    delimiter: str
    skip: int
    rows: bool
    content: bytes


def _lines_before_header(lines: list[bytes]) -> int:
    """Return how many lines stand before the header: blank ones, and those that begin with a hash.

    A header may begin with a hash itself: the last such line is one where it has as many columns as the line
    that follows.
    """
    skip = 0
    while skip < len(lines) - 1 and (not lines[skip].strip() or lines[skip].startswith(b"#")):
        skip += 1
    if skip and lines[skip - 1].startswith(b"#"):
        columns = [
            max(line.count(sign.encode()) for sign in DELIMITERS) for line in lines[skip - 1 : skip + 1]
        ]
        skip -= columns[0] == columns[1] > 0
    return skip


def _read_lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(1 << 20):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    yield rest


def _collect_into(broken: list[Any]) -> Any:
    def keep(row: Any) -> str:
        broken.append(row)
        return "error"

    return keep


def _guess_delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _last_row_has_newline(batch: pa.RecordBatch) -> bool:
    """Return whether a value of the last row holds line ends, as one in quotes may."""
    values = batch.slice(max(0, batch.num_rows - 1)).to_pylist()
    return any(isinstance(value, str) and "\n" in value for row in values for value in row.values())


def _has_empty_text(column: pa.StringArray) -> bool:
    """Return whether a text is empty or missing."""
    ends = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)
    return bool((ends[1:] == ends[:-1]).any())


def _empty_to_null(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take empty text as missing, as it is for numbers."""
    for index, column in enumerate(batch.columns):
        if pa.types.is_string(column.type) and _has_empty_text(column):
            batch = batch.set_column(
                index, batch.schema.field(index), pc.if_else(pc.equal(column, ""), None, column)
            )
    return batch
