"""CSV and its kin: any delimiter, compressed or not, streamed through pyarrow's parser.

Types are inferred from the first block. Where a later value does not fit, the column is widened (integers
to floats to text) and the file is read again from the start, so that what was inferred never changes a
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.partitioner.inputs.base import Chunk, FileSource, NarrowTypeError, check_names, gathered

BLOCK_BYTES = 8 * 1024 * 1024
COMPRESSION_RATIO = 5
"""How much larger compressed text is once it is read, roughly."""

DELIMITERS = (",", ";", "\t", "|")

_CONVERSION = re.compile(
    r"In CSV column #(\d+): CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL
)
_WRONG_WIDTH = re.compile(r"Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True, slots=True)
class CsvSource(FileSource):
    """One CSV file.

    Attributes
    ----------
    place : UPath
        The file; compression is recognised by its suffix.
    delimiter : str or None
        None takes the one that the header uses most.
    kinds : mapping of str to pyarrow.DataType
        Columns whose type is settled.
    threads : bool
        Whether to parse with all cores; not where several files are read at once.
    """

    place: UPath
    delimiter: str | None = None
    kinds: Mapping[str, pa.DataType] = field(default_factory=dict)
    threads: bool = False

    @property
    def estimated_bytes(self) -> int:
        """About how large the file's rows are in memory."""
        return storage.size(self.place) * (COMPRESSION_RATIO if _is_compressed(self.place.path) else 1)

    def widened(self, request: NarrowTypeError) -> CsvSource:
        """Return the source with one column of a wider type."""
        return replace(self, kinds={**self.kinds, request.column: request.kind})

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file in tables of about `target_bytes`.

        Raises
        ------
        InputError
            If it is empty, not text, or a row has more or fewer values than the header.
        NarrowTypeError
            If the types inferred so far do not hold.
        """
        header = self._header()
        delimiter = self.delimiter or _delimiter_of(header)
        broken: list[Any] = []
        with self._opened() as stream:
            try:
                reader = pv.open_csv(
                    stream,
                    read_options=pv.ReadOptions(block_size=BLOCK_BYTES, use_threads=self.threads),
                    parse_options=pv.ParseOptions(
                        delimiter=delimiter,
                        newlines_in_values='"' in header,
                        invalid_row_handler=_keep_in(broken),
                    ),
                    convert_options=pv.ConvertOptions(column_types=self.kinds),
                )
                check_names(reader.schema, self.place)
                yield from gathered((_with_nulls(batch) for batch in reader), target_bytes)
            except pa.ArrowException as error:
                raise self._explained(error, broken) from error

    def _opened(self) -> Any:
        with storage.explained(self.place, "reading"):
            kind = pa.Codec.detect(self.place.path).name if _is_compressed(self.place.path) else None
            if storage.is_local(self.place):
                return pa.input_stream(self.place.path, compression=kind)
            return pa.input_stream(self.place.fs.open(self.place.path, "rb"), compression=kind)

    def _header(self) -> str:
        try:
            with self._opened() as stream:
                start = stream.read(1 << 16)
        except OSError as error:
            raise InputError(f"cannot be decompressed: {error}", path=self.place) from error
        if not start.strip():
            raise InputError("the file is empty", path=self.place, expected="a header and rows")
        line: bytes = start.lstrip(b"\r\n").splitlines()[0]
        if b"\0" in start:
            raise InputError("this is not a text file", path=self.place, hint="name its kind with --format")
        return line.decode("utf-8-sig", "replace")

    def _explained(self, error: Exception, broken: list[Any]) -> Exception:
        text = str(error)
        if found := _CONVERSION.search(text):
            return self._wider(int(found[1]), found[2], found[3])
        if broken:
            row = broken[0]
            return InputError(
                f"line {self._line_of(row.text)} is broken",
                path=self.place,
                found=f"{row.actual_columns} values",
                expected=f"{row.expected_columns}",
                hint="mend the line, or name the right --delimiter",
            )
        if "UTF8" in text or "UTF-8" in text:
            return InputError(
                "the text is not UTF-8", path=self.place, hint="convert it, for example with iconv"
            )
        return InputError(f"cannot be read as CSV: {text.splitlines()[0]}", path=self.place)

    def _wider(self, index: int, kind: str, value: str) -> Exception:
        with self._opened() as stream:
            names = pv.open_csv(
                stream,
                parse_options=pv.ParseOptions(delimiter=self.delimiter or _delimiter_of(self._header())),
            ).schema.names
        name = names[index]
        if name in self.kinds and kind == "string":
            return InputError(f"the column {name!r} is not text", path=self.place, found=value)
        number = re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value)
        if kind in ("int64", "null") and number:
            return NarrowTypeError(name, pa.float64() if kind == "int64" or "." in value else pa.int64())
        return NarrowTypeError(name, pa.string())

    def _line_of(self, text: str) -> str:
        """Return the number of the line that reads `text`, from 1 with the header."""
        wanted = text.strip("\r\n").encode()
        with self._opened() as stream:
            for number, line in enumerate(_lines(stream), start=1):
                if line.strip(b"\r\n") == wanted:
                    return str(number)
        return f"{text[:60]!r}"


def _lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(1 << 20):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    yield rest


def _keep_in(broken: list[Any]) -> Any:
    def keep(row: Any) -> str:
        broken.append(row)
        return "error"

    return keep


def _delimiter_of(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _is_compressed(path: str) -> bool:
    return path.endswith((".gz", ".bz2", ".zst", ".lz4", ".xz"))


def _with_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take empty text as missing, as it is for numbers."""
    for index, column in enumerate(batch.columns):
        if pa.types.is_string(column.type):
            batch = batch.set_column(
                index, batch.schema.field(index), pc.if_else(pc.equal(column, ""), None, column)
            )
    return batch
