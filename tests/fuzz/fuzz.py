"""Fuzzing the parsers of what a catalog may hold; see README.md.

Each target takes bytes and must come back: with a value, or with the kind of error its parser promises.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hatsformat"]):
    from hatsformat import layout
    from hatsformat.artefacts.skymap import decode_skymap
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
    from hatsformat.validate.evidence.leaves import sort_out
    from hatsformat.validate.evidence.partitions import PartitionLines


def properties(data: bytes) -> None:
    document, _ = parse_properties_text(data)
    text = format_properties_text(document)
    again, problems = parse_properties_text(text)
    assert again.to_dict() == document.to_dict()
    assert format_properties_text(again) == text
    kinds = {problem.kind for problem in problems} - {"duplicate-keyword", "no-keyword"}
    # Half a character, which Java allows, cannot be written so that nobody objects.
    lone = any("\ud800" <= character <= "\udfff" for character in document_text(document))
    assert not kinds or lone, problems
    for validate, kind in (
        (validate_table, TableProperties),
        (validate_collection, CollectionProperties),
        (validate_extension, ExtensionProperties),
    ):
        validate(document)
        kind.from_document(document).format()


def document_text(document) -> str:
    return "".join(part for item in document.to_dict().items() for part in item)


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
    try:
        order, counts = decode_skymap(data)
    except SkymapError:
        return
    assert counts.size == 12 * 4**order
    assert counts.min() >= 0


def footer(data: bytes) -> None:
    """The Thrift bytes alone, with a sound frame around them: most mutations of the frame end at once."""
    from upath import UPath

    from hatsformat.validate.evidence.footers import SchemaPool, read_footers
    from hatsformat.validate.evidence.tree import Tree

    root = UPath("memory://fuzz-footer")
    root.fs.pipe_file(f"{root.path.rstrip('/')}/a.parquet", framed(data))
    found = read_footers(Tree(root), "", ["a.parquet"], SchemaPool(), "_healpix_29")
    assert len(found.readable) + len(found.broken) == 1
    assert all(isinstance(broken.error, HatsError) for broken in found.broken)


def framed(thrift: bytes) -> bytes:
    return b"PAR1" + bytes(200) + thrift + len(thrift).to_bytes(4, "little") + b"PAR1"


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (properties, csv, paths, fits, footer)
}


def seeds(target: str) -> dict[str, bytes]:
    """Sound inputs to begin with."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from hatsformat.artefacts.skymap import encode_skymap

    if target == "properties":
        table = "#HATS\nobs_collection=a\ndataproduct_type = object\nhats_nrows: 3\n"
        table += "hats_col_ra=ra\nhats_col_dec=dec\n"
        group = "obs_collection=a\nhats_primary_table_url=b\nall_margins=c d\nall_indexes=id e\n"
        group += "all_extensions=f f.properties\n"
        return {
            "table": table.encode(),
            "collection": group.encode(),
            "escapes": b"a\\ b\\u00e9 \\\n  c=\\:\xff\n",
        }
    if target == "csv":
        return {
            "plain": b"Norder,Npix\n0,1\n1,47\n",
            "more": b"Norder,Npix,Dir,num_rows\n3,5,0,9\n3,6.0,0,9\n",
        }
    if target == "paths":
        return {
            "leaves": b"Norder=1/Dir=0/Npix=47.parquet\nNorder=0/Dir=0/Npix=3/p.parquet\n"
            b"_metadata\nindex/part.0.parquet"
        }
    if target == "fits":
        few = np.zeros(48, dtype=np.int64)
        few[5] = 7
        return {"dense": encode_skymap(np.arange(12)), "sparse": encode_skymap(np.repeat(few, 64))}
    table = pa.table({"_healpix_29": [1, 2, 3], "ra": [1.0, 2.0, None], "name": ["a", "b", None]})
    nested = table.append_column("lc", pa.array([[{"t": 1.0}], [], None]))
    found = {}
    for name, content in {"flat": table, "nested": nested}.items():
        sink = io.BytesIO()
        pq.write_table(content, sink, row_group_size=2, write_page_index=name == "flat")
        file = sink.getvalue()
        found[name] = file[-8 - int.from_bytes(file[-8:-4], "little") : -8]
    return found


def main() -> None:
    target, *options = sys.argv[1:]
    run = TARGETS[target]
    corpus = next((Path(option) for option in options if not option.startswith("-")), None)
    if corpus is None:
        corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
        options.append(str(corpus))
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for name, content in seeds(target).items():
            (corpus / name).write_bytes(content)
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
