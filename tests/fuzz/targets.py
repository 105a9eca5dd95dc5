"""What is fuzzed: each target takes bytes, and comes back, whatever they are."""

from __future__ import annotations

from collections.abc import Callable

from upath import UPath

from hatsformat import layout
from hatsformat.errors import HatsError, PartitionInfoError, SkymapError
from hatsformat.partition_info import PartitionInfo
from hatsformat.properties import (
    CollectionProperties,
    ExtensionProperties,
    TableProperties,
    format_properties_text,
    parse_properties_text,
    validate_collection,
    validate_extension,
    validate_table,
)
from hatsformat.properties.document import Entry
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footers import SchemaPool, read_footers
from hatsformat.validation.evidence.leaves import sort_out
from hatsformat.validation.evidence.partitions import PartitionLines
from hatsformat.validation.evidence.skymaps import read_map
from hatsformat.validation.evidence.tree import Tree


def properties(data: bytes) -> None:
    document, _ = parse_properties_text(data)
    text = format_properties_text(document)
    again, problems = parse_properties_text(text)
    assert again.to_dict() == document.to_dict()
    assert format_properties_text(again) == text
    kinds = {problem.kind for problem in problems} - {"duplicate-keyword", "no-keyword"}
    # Half a character, which Java allows, cannot be written so that nobody objects.
    assert not kinds or any("\ud800" <= character <= "\udfff" for character in document_text(document)), (
        problems
    )
    for validate, kind in (
        (validate_table, TableProperties),
        (validate_collection, CollectionProperties),
        (validate_extension, ExtensionProperties),
    ):
        validate(document)
        kind.from_document(document).format()


def document_text(document) -> str:
    # Every line: of a keyword that stands twice, only the last value counts.
    return "".join(line.keyword + line.value for line in document.lines if isinstance(line, Entry))


def csv(data: bytes) -> None:
    try:
        lines = PartitionLines.from_csv(data)
    except PartitionInfoError:
        lines = None
    if lines is not None:
        assert len(lines.tiles) <= len(lines) == len(lines.uniq)
        lines.tiles.overlaps()
    try:
        tiles = PartitionInfo.from_csv(data)
    except PartitionInfoError:
        return
    if not any(values.dtype == object for values in tiles.extra.values()):
        assert PartitionInfo.from_csv(tiles.to_csv()) == tiles


def paths(data: bytes) -> None:
    names = data.decode("utf-8", "surrogateescape").split("\n")
    for name in names:
        found = layout.parse_leaf_path(name)
        if found is not None:
            assert layout.parse_leaf_path(found.path) == found
        layout.parse_index_part(name)
        layout.is_inside(name)
    for kind in ("object", "index"):
        parts = sort_out([f"dataset/{name}" for name in names], kind, ".parquet")
        assert len(parts.leaves) + len(parts.strays) <= len(names)


def fits(data: bytes) -> None:
    place = UPath("memory://fuzz-fits/skymap.fits")
    place.fs.pipe_file(place.path, data)
    try:
        found = read_map(place)
    except SkymapError:
        return
    assert found.counts.size == 12 * 4**found.order
    assert found.counts.min() >= 0


def footer(data: bytes) -> None:
    """The Thrift bytes alone, with a sound frame around them: most mutations of the frame end at once."""
    root = UPath("memory://fuzz-footer")
    root.fs.pipe_file(f"{root.path.rstrip('/')}/a.parquet", framed(data))
    found = read_footers(CatalogFolder(Tree(root)), ["a.parquet"], SchemaPool(), "_healpix_29")
    assert len(found.readable) + len(found.broken) == 1
    assert all(isinstance(broken.error, HatsError) for broken in found.broken)


def framed(thrift: bytes) -> bytes:
    return b"PAR1" + bytes(200) + thrift + len(thrift).to_bytes(4, "little") + b"PAR1"


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (properties, csv, paths, fits, footer)
}
