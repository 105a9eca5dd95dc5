"""Checks of VOParquet metadata: a VOTable without rows in Parquet files (Note, section 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat

import pyarrow as pa

from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.schemas import plain
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check

_VERSION = "IVOA.VOTable-Parquet.version"
_CONTENT = "IVOA.VOTable-Parquet.content"

_KNOWN_VERSION = "1.0"

_DATATYPES = {
    "bool": "boolean bit",
    "int8": "short int long",
    "uint8": "unsignedByte short int long",
    "int16": "short int long",
    "uint16": "int long",
    "int32": "int long",
    "uint32": "long",
    "int64": "long",
    "halffloat": "float double",
    "float": "float double",
    "double": "double",
    "string": "char unicodeChar",
}
"""The VOTable datatypes that can hold a column of a type; other types are not checked."""

_DEEPEST = 50
"""The maximum depth of the elements of a VOTable."""


def _carries(footer: Footer) -> bool:
    return _VERSION in footer.keys or _CONTENT in footer.keys


@catalog_check("HATS-AUX-302")
def all_vo_parquet(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that if one data file carries VOParquet metadata, all do."""
    some = any(map(_carries, catalog.footers.leaves.readable))
    for footer in catalog.footers.leaves.each():
        if some and not _carries(footer):
            yield Departure.of(
                "the file has no VOParquet metadata, but others do", footer.path, expected=_VERSION
            )


@catalog_check("HATS-AUX-303")
def auxiliary_vo_parquet(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that if the data files carry VOParquet metadata, so do the other Parquet files."""
    if not any(map(_carries, catalog.footers.leaves.readable)):
        return
    for file in (catalog.footers.common_metadata, catalog.footers.thumbnail):
        if file.value is not None and not _carries(file.value):
            yield Departure.of(
                "the file has no VOParquet metadata, but the leaves do", file.path, expected=_VERSION
            )


def _carriers(catalog: CatalogEvidence) -> Iterator[Footer]:
    """Yield the footers with VOParquet metadata, the data files last; see `FooterSet.each`."""
    files = (catalog.footers.common_metadata, catalog.footers.thumbnail)
    yield from (file.value for file in files if file.value is not None and _carries(file.value))
    yield from filter(_carries, catalog.footers.leaves_and_strays())


@catalog_check("HATS-AUX-304")
def whole_vo_parquet(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that VOParquet metadata has its version and its content."""
    for footer in _carriers(catalog):
        for key in (_VERSION, _CONTENT):
            if key not in footer.keys:
                yield Departure.of("incomplete VOParquet metadata", footer.path, expected=key)


@catalog_check("HATS-AUX-305")
def describes_columns(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the content of VOParquet metadata is a VOTable with a field for each column."""
    for footer in _carriers(catalog):
        content = footer.keys.get(_CONTENT)
        if content is None:
            continue
        found, columns = read_votable(content), len(footer.schema.names)
        if "\N{REPLACEMENT CHARACTER}" in content:  # stands for invalid bytes
            yield Departure.of(
                "the VOParquet content is not UTF-8", footer.path, actual="bytes of another encoding"
            )
        elif found.problem is not None:
            yield Departure.of(
                "the VOParquet content must be a VOTable without rows", footer.path, actual=found.problem
            )
        elif len(found.fields) != columns:
            yield Departure.of(
                "the VOParquet content must have one field per column",
                footer.path,
                actual=f"{len(found.fields)} fields",
                expected=f"{columns} fields, one per column",
            )


@catalog_check("HATS-AUX-306")
def known_version(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the version of VOParquet metadata is known."""
    for footer in _carriers(catalog):
        version = footer.keys.get(_VERSION, _KNOWN_VERSION)
        if version != _KNOWN_VERSION:
            yield Departure.of(
                "unknown version of VOParquet",
                footer.path,
                actual=version or "an empty string",
                expected=_KNOWN_VERSION,
            )


@catalog_check("HATS-AUX-307")
def describes_each_column(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the fields of VOParquet metadata have the names and the types of the columns."""
    known: dict[tuple[str, int], list[tuple[str, str, str]]] = {}
    for footer in _carriers(catalog):
        content = footer.keys.get(_CONTENT, "")
        key = content, id(footer.schema)
        if key not in known:
            known[key] = list(_differences(read_votable(content), footer.schema))
        for column, actual, expected in known[key]:
            message = "a field of the VOParquet content does not match its column"
            yield Departure.of(message, footer.path, column, actual=actual, expected=expected)


def _differences(table: VOTable, schema: pa.Schema) -> Iterator[tuple[str, str, str]]:
    """Yield the columns that do not match their fields, with the found and the expected value."""
    if table.problem is not None or len(table.fields) != len(schema):
        return
    for (name, datatype), column in zip(table.fields, schema, strict=True):
        held = _DATATYPES.get(str(plain(column.type)))
        if " ".join(name.split()) != " ".join(column.name.split()):
            yield column.name, f"a field {name or 'without a name'}", "a field with the name of the column"
        elif held is not None and datatype not in held.split():
            actual = f"datatype {datatype}" if datatype else "no datatype"
            yield column.name, actual, f"{held.split()[0]}, for a column of type {column.type}"


@dataclass(frozen=True, slots=True)
class VOTable:
    """The parts of a VOTable that are checked.

    Attributes
    ----------
    fields : tuple of (str, str)
        The name and the datatype of each field of the first table.
    problem : str or None
        Why it is not a valid VOTable without rows.
    """

    fields: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


class _Reader:
    """Collects the fields of the first table."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.tables = 0
        self.fields: list[tuple[str, str]] = []
        self.problem: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if len(self.path) == _DEEPEST:
            self.refuse("its elements are nested too deeply")
        self.path.append(name)
        if len(self.path) == 1 and name != "VOTABLE":
            self.problem = f"the document is a {name}"
        self.tables += name == "TABLE"
        if self.tables == 1 and self.path[-2:] == ["TABLE", "FIELD"]:
            self.fields.append((attributes.get("name", ""), attributes.get("datatype", "")))
        if self.tables == 1 and self.path[-2:] == ["TABLE", "DATA"]:
            self.problem = "its first table has data"

    def end(self, _: str) -> None:
        self.path.pop()

    def declare(self, *_: object) -> None:
        # A few bytes of entities can expand to gigabytes.
        self.refuse("it declares entities and was not read")

    def refuse(self, problem: str) -> None:
        self.problem = problem
        raise ValueError(problem)


@lru_cache(maxsize=64)
def read_votable(content: str) -> VOTable:
    """Read a VOTable without rows; never raises."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.EntityDeclHandler = reader.declare
    try:
        parser.Parse(content.encode("utf-8", "replace"), True)
    except (expat.ExpatError, ValueError) as error:
        return VOTable(problem=reader.problem or str(error))
    if reader.problem is None and not reader.tables:
        reader.problem = "it has no TABLE"
    return VOTable(tuple(reader.fields), reader.problem)
