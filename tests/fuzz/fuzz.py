"""Fuzzing what reads the files of a catalog, guided by coverage; see README.md."""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hatsformat.artefacts.skymap import encode_skymap


def seeds(target: str) -> dict[str, bytes]:
    """Sound inputs to begin with."""
    if target == "properties":
        table = "#HATS\nobs_collection=a\ndataproduct_type = object\nhats_nrows: 3\nhats_col_ra=ra\n"
        group = "obs_collection=a\nhats_primary_table_url=b\nall_margins=c d\nall_indexes=id e\n"
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
            "leaves": b"Norder=1/Dir=0/Npix=47.parquet\nNorder=0/Dir=0/Npix=3/p.parquet",
            "others": b"_metadata\nindex/part.0.parquet",
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
    import atheris

    with atheris.instrument_imports(include=["hatsformat", "targets"]):
        # Modules that are loaded already are not instrumented.
        for name in [name for name in sys.modules if name.split(".")[0] == "hatsformat"]:
            del sys.modules[name]
        from targets import TARGETS
    target, *options = sys.argv[1:]
    corpus = next((Path(option) for option in options if not option.startswith("-")), None)
    if corpus is None:
        corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
        options.append(str(corpus))
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for name, content in seeds(target).items():
            (corpus / name).write_bytes(content)
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
