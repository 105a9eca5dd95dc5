"""CSV with any delimiter, compressed or not, streamed through pyarrow's parser.

Types are inferred from the start of the file. If a later value does not fit, the column is widened (integers
to floats to text) and the file is read again, so that inference never changes a value: codes such as 007 are
text, and so are integers that no type of the column can hold exactly.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
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
    read_up_to,
    rechunk,
)
from hatsformat.inputs.comments import without_comments
from hatsformat.inputs.csv_types import WatchedStream, inexact_floats, narrowest_types

BLOCK_BYTES = 8 * 1024 * 1024
MIN_BLOCK = 512 * 1024
START_BYTES = 1024 * 1024
"""How much of a file to infer the delimiter and the types from."""

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
        The file; compression is detected from the suffix.
    delimiter : str or None
        None chooses the most frequent one in the header.
    comment : str or None
        The prefix of lines to skip; None skips lines that start with a hash, before the header only.
    column_types : mapping of str to pyarrow.DataType
        Columns whose type is known.
    threads : bool
        Whether to parse with all cores; False if several files are read at once.
    newlines : bool
        Whether quoted values may contain line ends, so that the file cannot be split at every line.
    block_bytes : int or None
        How much to parse at a time, at least one row; None chooses by the size of the chunks.
    """

    path: UPath
    delimiter: str | None = None
    comment: str | None = None
    column_types: Mapping[str, pa.DataType] = field(default_factory=dict)
    threads: bool = False
    newlines: bool = False
    block_bytes: int | None = None

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file in chunks of about `target_bytes`.

        Raises
        ------
        InputError
            If the file is empty, not text, or a row has more or fewer values than the header.
        RereadError
            If a value does not fit the types inferred so far.
        """
        start = self._read_start()
        if start.rows:
            # Arrow reads ahead, at least one block per core.
            block = max(MIN_BLOCK, min(BLOCK_BYTES, target_bytes // 8))
            sized = self if self.block_bytes else replace(self, block_bytes=block)
            yield from rechunk(sized._batches(start), target_bytes)
            return
        header = pa.BufferReader((start.header + "\n").encode())
        table = pv.read_csv(header, parse_options=pv.ParseOptions(delimiter=start.delimiter))
        check_names(table.schema, self.path)
        yield Chunk(table, 1)

    def _batches(self, start: _Start) -> Iterator[pa.RecordBatch]:
        broken: list[Any] = []
        batch = None
        with self._read_errors(), closing(WatchedStream(self._open(), start.delimiter)) as watched:
            try:
                # Arrow reads much faster with given types than with types that it infers.
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
                        "unclosed quote",
                        path=self.path,
                        found=watched.quotes,
                        expected="an even number of quotes",
                    )
            except pa.ArrowException as error:
                raise self._input_error(error, broken, start) from error

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
        """Infer the types of the columns from the start of the file; empty if that fails."""
        lines = start.content[: start.content.rfind(b"\n") + 1]
        try:
            table = self._reader(pa.BufferReader(lines), start, {}).read_all()
        except pa.ArrowException:
            return {}
        types = dict(zip(table.schema.names, table.schema.types, strict=True))
        return {name: kind for name, kind in types.items() if not pa.types.is_binary(kind)}

    def _check_schema(self, schema: pa.Schema) -> None:
        check_names(schema, self.path)
        if any(pa.types.is_binary(kind) for kind in schema.types):
            raise self._not_utf8()

    def _check_types(self, padded: bool, batch: pa.RecordBatch) -> None:
        """Ask for another read if the inferred types may change a value."""
        suspects = list(inexact_floats(batch, self.column_types))
        if padded:
            integers = (field.name for field in batch.schema if pa.types.is_int64(field.type))
            suspects += [name for name in integers if name not in self.column_types]
        if suspects:
            raise self._reread(column_types={**self.column_types, **self._narrowest_types(suspects)})

    def _narrowest_types(self, names: list[str]) -> dict[str, pa.DataType]:
        with self._open() as stream:
            text = dict.fromkeys(names, pa.string())
            return narrowest_types(self._reader(stream, self._read_start(), text, names))

    def _reread(self, **changes: Any) -> RereadError:
        return RereadError(replace(self, **changes))

    def _open(self) -> Any:
        stream = open_stream(self.path)
        return without_comments(stream, self.comment) if self.comment else stream

    @contextmanager
    def _read_errors(self) -> Iterator[None]:
        """Turn errors of the file system and of decompression into an `InputError`."""
        try:
            yield
        except HatsError:  # a NotFoundError is an OSError, too
            raise
        except (EOFError, lzma.LZMAError, OSError) as error:
            raise InputError(f"cannot be read: {error}", path=self.path) from error

    def _read_start(self) -> _Start:
        with self._read_errors(), self._open() as stream:
            content = read_up_to(stream, START_BYTES)
        if not content.removeprefix(b"\xef\xbb\xbf").strip():
            raise InputError("the file is empty", path=self.path, expected="a header and rows")
        if b"\0" in content:
            raise InputError(
                "not a text file", path=self.path, hint="set its format with --format, or convert it to UTF-8"
            )
        lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
        skip = _lines_before_header(lines)
        rows = len(content) == START_BYTES or any(line.strip() for line in lines[skip + 1 :])
        try:
            header = lines[skip].decode()
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        return _Start(header, self.delimiter or _guess_delimiter(header), skip, rows, content)

    def _not_utf8(self) -> InputError:
        return InputError("the file is not UTF-8", path=self.path, hint="convert it, for example with iconv")

    def _input_error(self, error: Exception, broken: list[Any], start: _Start) -> Exception:
        text = str(error)
        if found := _CONVERSION.search(text):
            return self._widen(int(found[1]), found[2], found[3], start)
        if broken:
            row = broken[0]
            return InputError(
                f"line {self._line_of(row.text)} has the wrong number of values",
                path=self.path,
                found=row.actual_columns,
                expected=row.expected_columns,
                hint="fix the line, or set the right --delimiter",
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
            return InputError(f"column {name!r} cannot be read as text", path=self.path, found=value)
        wider: pa.DataType = pa.string()
        if _NUMBER.fullmatch(value) and kind in ("int64", "null"):
            wider = self._narrowest_types([name])[name] if kind == "int64" else pa.int64()
        return self._reread(column_types={**self.column_types, name: wider})

    def _line_of(self, text: str) -> str:
        """Return the number of a line, counted from 1 at the header; its text if it spans several lines."""
        wanted = text.strip("\r\n").encode()
        with open_stream(self.path) as stream:
            for number, line in enumerate(_read_lines(stream), start=1):
                if line.strip(b"\r\n") == wanted:
                    return str(number)
        return f"{text[:60]!r}"


@dataclass(frozen=True, slots=True)
class _Start:
    """The start of a file."""

    header: str
    delimiter: str
    skip: int  # how many lines are before the header
    rows: bool  # whether rows follow the header
    content: bytes


def _lines_before_header(lines: list[bytes]) -> int:
    """Count the lines before the header: blank lines, and lines that start with a hash.

    The header itself may start with a hash: the last such line is the header if it has as many columns as
    the next line.
    """
    skip = 0
    while skip < len(lines) - 1 and (not lines[skip].strip() or lines[skip].startswith(b"#")):
        skip += 1
    if skip and lines[skip - 1].startswith(b"#"):
        columns = [
            max(line.count(delimiter.encode()) for delimiter in DELIMITERS)
            for line in lines[skip - 1 : skip + 1]
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
    """Return whether a value in the last row contains a line end."""
    values = batch.slice(max(0, batch.num_rows - 1)).to_pylist()
    return any(isinstance(value, str) and "\n" in value for row in values for value in row.values())


def _has_empty_text(column: pa.StringArray) -> bool:
    """Return whether any text is empty or missing."""
    ends = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)
    return bool((ends[1:] == ends[:-1]).any())


def _empty_to_null(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Replace empty text by nulls, as pyarrow does for numbers."""
    for index, column in enumerate(batch.columns):
        if pa.types.is_string(column.type) and _has_empty_text(column):
            batch = batch.set_column(
                index, batch.schema.field(index), pc.if_else(pc.equal(column, ""), None, column)
            )
    return batch
