"""Small catalogs written with plain pyarrow, for tests of the reader: nothing of the package's writer is
used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.coordinates import Latitude, Longitude
from astropy.units import deg
from cdshealpix.nested import lonlat_to_healpix


@dataclass
class Tree:
    """How to write a catalog; `write` does."""

    threshold: int = 300
    group_rows: int = 60
    suffix: str = ".parquet"
    parts: int = 1
    index: str | None = "_healpix_29"
    index_order: int = 29
    index_type: pa.DataType = field(default_factory=pa.int64)
    statistics: bool = True
    partition_info: bool = True
    metadata: bool = True
    common_metadata: bool = True
    hive_columns: bool = False
    properties: dict[str, str] = field(default_factory=dict)
    properties_names: tuple[str, ...] = ("hats.properties",)

    def write(self, root: Path, table: pa.Table) -> list[tuple[int, int]]:
        """Write `table` (with columns ra and dec) to `root` and return the tiles."""
        ra, dec = (table.column(name).to_numpy() for name in ("ra", "dec"))
        pixels = healpix(ra, dec, 29)
        footers, tiles = [], adaptive_tiles(pixels, self.threshold)
        if self.index:
            values = pa.array(pixels >> 2 * (29 - self.index_order)).cast(self.index_type)
            table = table.add_column(0, self.index, values)
        schema = table.schema
        for order, pixel in tiles:
            rows = np.flatnonzero(pixels >> 2 * (29 - order) == pixel)
            rows = rows[np.argsort(pixels[rows], kind="stable")]
            folder = f"Norder={order}/Dir={pixel // 10_000 * 10_000}/Npix={pixel}"
            leaf = table.take(rows)
            if self.hive_columns:
                for name, value in (("Norder", order), ("Dir", pixel // 10_000 * 10_000), ("Npix", pixel)):
                    leaf = leaf.append_column(name, pa.array(np.full(len(rows), value)))
                schema = leaf.schema
            for part in range(self.parts):
                path = folder + (f"/part {part}.parquet" if self.suffix == "/" else self.suffix)
                place = root / "dataset" / path
                place.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(
                    leaf.take(np.arange(part, len(rows), self.parts)),
                    place,
                    row_group_size=self.group_rows,
                    write_statistics=self.statistics,
                    metadata_collector=footers,
                )
                footers[-1].set_file_path(path)
        self._write_headers(root, schema, footers, tiles, len(table))
        return tiles

    def _write_headers(self, root, schema, footers, tiles, rows):
        if self.metadata:
            pq.write_metadata(schema, root / "dataset" / "_metadata", footers)
        if self.common_metadata:
            pq.write_metadata(schema, root / "dataset" / "_common_metadata")
        if self.partition_info:
            lines = ["Norder,Npix", *(f"{order},{pixel}" for order, pixel in tiles)]
            (root / "partition_info.csv").write_text("\n".join(lines) + "\n")
        keywords = {
            "obs_collection": root.name,
            "dataproduct_type": "object",
            "hats_nrows": str(rows),
            "hats_col_ra": "ra",
            "hats_col_dec": "dec",
            "hats_npix_suffix": self.suffix,
        }
        if self.index:
            keywords |= {"hats_col_healpix": self.index, "hats_col_healpix_order": str(self.index_order)}
        keywords |= self.properties
        for name in self.properties_names:
            text = "".join(f"{key}={value}\n" for key, value in keywords.items())
            (root / name).write_text(text)


def healpix(ra, dec, order):
    cells = lonlat_to_healpix(Longitude(np.array(ra), deg), Latitude(np.array(dec), deg), order)
    return cells.astype(np.int64)


def adaptive_tiles(pixels, threshold):
    """Tiles of at most `threshold` of some order-29 pixels, in no particular order."""
    tiles, pending = [], [(0, pixel) for pixel in range(12)]
    while pending:
        order, pixel = pending.pop()
        assert order <= 29, "more stars than the threshold are at one place"
        count = (pixels >> 2 * (29 - order) == pixel).sum()
        if 0 < count <= threshold:
            tiles.append((order, pixel))
        elif count:
            pending += [(order + 1, 4 * pixel + child) for child in range(4)]
    return tiles


def stars(count=4000, seed=0):
    """A table of stars: some all over the sky, some crowded, some where the tiling has its corners."""
    rng = np.random.default_rng(seed)
    ra = rng.uniform(0, 360, count)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    corners = np.array(
        [(0, 90), (77, 90), (0, -90), (0, 0), (45, 0), (90, 41.810314895778596), (359.999, 0.001)]
    )
    for place, (lon, lat) in enumerate(np.concatenate((corners, [(56.75, 24.12)]))):
        some = slice(place * 100, place * 100 + 100)
        spread = 10.0 ** rng.uniform(-5, 0.5, 100)
        turn = rng.uniform(0, 2 * np.pi, 100)
        beyond = lat + spread * np.sin(turn)
        dec[some] = np.where(np.abs(beyond) > 90, np.sign(beyond) * 180 - beyond, beyond)
        across = np.maximum(np.cos(np.radians(dec[some])), 1e-3)
        ra[some] = (lon + spread * np.cos(turn) / across) % 360
        ra[some.start], dec[some.start] = lon, lat
    return pa.table(
        {
            "id": pa.array(rng.permutation(count)),
            "ra": ra,
            "dec": dec,
            "mag": pa.array(rng.normal(12, 3, count), mask=rng.random(count) < 0.05),
            "band": pa.array(rng.choice(["g", "r", "i"], count)),
        }
    )


def write_index(root, table, tiles, column="id", leaf_name="part.0.parquet", **properties):
    """An index table over `column` of a catalog that `Tree` wrote."""
    pixels = healpix(table.column("ra"), table.column("dec"), 29)
    orders, numbers = np.zeros((2, len(table)), dtype=np.int64)
    for order, pixel in tiles:
        inside = pixels >> 2 * (29 - order) == pixel
        orders[inside], numbers[inside] = order, pixel
    index = pa.table(
        {
            column: table.column(column),
            "Norder": pa.array(orders, pa.uint8()),
            "Npix": pa.array(numbers, pa.uint64()),
        }
    ).sort_by(column)
    (root / "dataset" / "index").mkdir(parents=True)
    pq.write_table(index, root / "dataset" / "index" / leaf_name, row_group_size=100)
    keywords = {
        "obs_collection": root.name,
        "dataproduct_type": "index",
        "hats_nrows": str(len(index)),
        "hats_primary_table_url": "stars",
        "hats_index_column": column,
        **properties,
    }
    (root / "hats.properties").write_text("".join(f"{key}={value}\n" for key, value in keywords.items()))
