"""Skies to import, and plain ways to read back what was made of them: nothing of the package is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix
from hypothesis import strategies as st

INDEX = "_healpix_29"
LEAF = re.compile(r"Norder=(\d+)/Dir=(\d+)/Npix=(\d+)(\.parquet|/[^/]+\.parquet)$")
POLES = ((0.0, 90.0), (123.0, 90.0), (0.0, -90.0), (359.0, -90.0))


def healpix(ra, dec, order=29):
    """NESTED pixels of positions in degrees, any right ascension."""
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    lon, lat = Longitude(np.mod(ra, 360.0), units.deg), Latitude(dec, units.deg)
    return lonlat_to_healpix(lon, lat, order).astype(np.int64).reshape(ra.shape)


@dataclass(frozen=True)
class LeafFile:
    """One leaf: its tile and its rows."""

    order: int
    dir: int
    pixel: int
    path: str
    table: pa.Table


def files(root):
    """The paths of all files below a folder, relative to it."""
    return {path.relative_to(root).as_posix() for path in Path(root).rglob("*") if path.is_file()}


def contents(root):
    """The bytes of all files below a folder, by their paths relative to it."""
    return {path: (Path(root) / path).read_bytes() for path in sorted(files(root))}


def read_leaves(root):
    """All leaves of a catalog, along the sky."""
    found = []
    for path in sorted(files(root)):
        if match := LEAF.search(path):
            order, folder, pixel = (int(number) for number in match.groups()[:3])
            # A file object: given a path, pyarrow would add columns for Norder, Dir and Npix.
            with open(Path(root) / path, "rb") as stream:
                found.append(LeafFile(order, folder, pixel, path, pq.read_table(stream)))
    return sorted(found, key=lambda leaf: leaf.pixel << 2 * (29 - leaf.order))


def read_rows(root):
    """All rows of a catalog, along the sky, without the index column."""
    return pa.concat_tables([leaf.table for leaf in read_leaves(root)]).drop_columns([INDEX])


def read_properties(root):
    """The keywords of a catalog and their values, as text."""
    lines = (Path(root) / "hats.properties").read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def bits(table):
    """A table's rows as text that tells every bit apart, NaN payloads and zeros' signs among them."""
    columns = []
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_floating(column.type):
            whole = {16: np.uint16, 32: np.uint32, 64: np.uint64}[column.type.bit_width]
            values = column.fill_null(0).to_numpy(zero_copy_only=False).view(whole)
            columns.append(
                np.where(column.is_null().to_numpy(zero_copy_only=False), -1, values.astype(object))
            )
        else:
            columns.append(column.to_pylist())
    return [repr(row) for row in zip(*columns, strict=True)]


def assert_same_rows(found, wanted, key=None):
    """Both tables hold the same rows in the same types, bit for bit; sorted by a column if one is given."""
    assert found.schema.names == wanted.schema.names
    assert found.schema.types == wanted.schema.types
    if key is None:
        assert sorted(bits(found)) == sorted(bits(wanted))
    else:
        assert bits(found.sort_by(key)) == bits(wanted.sort_by(key))


def looks_like_a_catalog(root):
    """Whether anything below a folder would be taken for a catalog."""
    marks = {"hats.properties", "properties", "collection.properties"}
    return any(Path(path).name in marks for path in files(root))


def stars(count=500, seed=0):
    """Stars all over the sky and in a cluster, with columns of several types and missing values."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    crowd = rng.random(count) < 0.4
    ra[crowd], dec[crowd] = 56.75 + rng.normal(0, 1, crowd.sum()), 24.12 + rng.normal(0, 1, crowd.sum())
    return dressed(ra % 360, dec, seed)


def dressed(ra, dec, seed=0):
    """A table of positions with more columns beside: nulls, NaN, text."""
    rng = np.random.default_rng(seed)
    count = len(ra)
    mag = rng.normal(12, 3, count)
    mag[rng.random(count) < 0.1] = np.nan
    words = np.array(["g", "r", "", "ütf-8", 'a,b\n"c"'], dtype=object)
    return pa.table(
        {
            "id": pa.array(np.arange(count)),
            "ra": pa.array(ra, pa.float64()),
            "dec": pa.array(dec, pa.float64()),
            "mag": pa.array(mag, mask=rng.random(count) < 0.1),
            "flux": pa.array(rng.normal(size=count).astype(np.float32)),
            "band": pa.array(rng.choice(words, count), pa.string(), mask=rng.random(count) < 0.1),
            "good": pa.array(rng.random(count) < 0.5),
        }
    )


@st.composite
def positions(draw, max_size=120):
    """Right ascensions and declinations of a random sky: crowds, repeats, poles, both sides of RA 0."""
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, max_size))
    kind = st.sampled_from(["all", "crowd", "point", "pole", "wrap", "corner"])
    kinds = draw(st.lists(kind, min_size=1, max_size=4))
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    for kind in kinds:
        some = rng.random(count) < draw(st.sampled_from([0.2, 0.9]))
        number = int(some.sum())
        if kind == "crowd":
            width = 10.0 ** rng.uniform(-6, 0)
            ra[some] = rng.uniform(0, 360) + width * rng.normal(size=number)
            dec[some] = np.clip(rng.uniform(-80, 80) + width * rng.normal(size=number), -90, 90)
        elif kind == "point":
            ra[some], dec[some] = rng.uniform(0, 360), rng.uniform(-90, 90)
        elif kind == "pole":
            chosen = np.array(POLES)[rng.integers(0, len(POLES), number)]
            ra[some], dec[some] = chosen[:, 0], chosen[:, 1]
        elif kind == "wrap":
            ra[some] = rng.choice([-360.0, -1e-13, -0.0, 0.0, 360.0, 359.9999999999, 719.5, -10.0], number)
            dec[some] = rng.normal(0, 20, number).clip(-90, 90)
        elif kind == "corner":
            ra[some] = rng.choice([0.0, 45.0, 90.0, 315.0], number)
            dec[some] = rng.choice([0.0, 41.81031489577859], number)
    return ra, dec


def plain(table):
    """Rows as Python values: nested ones, too."""
    return [repr(row) for row in table.to_pylist()]
