"""Small sound catalogs, made with plain pyarrow and Astropy: what other tests begin with."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits
from cdshealpix.nested import lonlat_to_healpix, vertices

from hatsformat.validation import Report

Files = dict[str, bytes]
ROWS = 240
SKYMAP_ORDER = 3


def nested(ra, dec, order: int) -> np.ndarray:
    cells = lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), order)
    return cells.astype(np.int64).reshape(np.shape(ra))


def stars(count: int = ROWS, seed: int = 1) -> pa.Table:
    """Stars all over the sky, sorted by their order-29 pixel."""
    random = np.random.default_rng(seed)
    ra = random.uniform(0, 360, count)
    dec = np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    index = nested(ra, dec, 29)
    table = {
        "_healpix_29": index,
        "id": np.arange(count),
        "ra": ra,
        "dec": dec,
        "mag": random.normal(20, 1, count),
    }
    return pa.table(table).sort_by("_healpix_29")


def tiles_of(table: pa.Table) -> dict[tuple[int, int], pa.Table]:
    """Order 0, but the last base tile split into order 1, and its last tile into order 2."""
    pixels = table.column("_healpix_29").to_numpy()
    found = {}
    tiles = [
        *((0, p) for p in range(11)),
        *((1, p) for p in (44, 45, 46)),
        *((2, p) for p in range(188, 192)),
    ]
    for order, pixel in tiles:
        inside = pixels >> (2 * (29 - order)) == pixel
        if inside.any():
            found[order, pixel] = table.filter(pa.array(inside))
    return found


def parquet(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **{"row_group_size": 10, "compression": "zstd", **options})
    return sink.getvalue()


def read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


def footer(content: bytes) -> pq.FileMetaData:
    return pq.read_metadata(io.BytesIO(content))


def leaf_name(order: int, pixel: int, suffix: str = ".parquet") -> str:
    ending = suffix if suffix != "/" else "/part0.parquet"
    return f"dataset/Norder={order}/Dir={pixel // 10000 * 10000}/Npix={pixel}{ending}"


def properties(values: Mapping[str, object]) -> bytes:
    return "".join(["#HATS catalog\n", *(f"{key}={value}\n" for key, value in values.items())]).encode()


def set_property(files: Files, changes: Mapping[str, object], folder: str = "", name: str = "") -> None:
    """Change, add or (None) remove keywords of a properties file, and of its older copy."""
    for path in [name] if name else ["hats.properties", "properties"]:
        if folder + path in files:
            lines = [line for line in files[folder + path].decode().splitlines() if not line.startswith("#")]
            values = dict(line.split("=", 1) for line in lines) | changes
            files[folder + path] = properties({k: v for k, v in values.items() if v is not None})


def skymap(counts: np.ndarray, ordering: str = "NESTED") -> bytes:
    table = fits.BinTableHDU.from_columns([fits.Column(name="T", format="K", array=counts)])
    order = round(np.log2(counts.size / 12) / 2)
    table.header.extend(
        [("PIXTYPE", "HEALPIX"), ("ORDERING", ordering), ("NSIDE", 2**order), ("INDXSCHM", "IMPLICIT")]
    )
    sink = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(sink)
    return sink.getvalue()


def metadata_files(files: Files) -> Files:
    """``_metadata`` and ``_common_metadata`` of the data files."""
    leaves = sorted(path for path in files if path.startswith("dataset/") and path.endswith(".parquet"))
    schema = footer(files[leaves[0]]).schema.to_arrow_schema()
    footers = []
    for path in leaves:
        one = footer(files[path])
        one.set_file_path(path.removeprefix("dataset/"))
        footers.append(one)
    both = io.BytesIO(), io.BytesIO()
    pq.write_metadata(schema, both[0], footers)
    pq.write_metadata(schema, both[1])
    return {"dataset/_metadata": both[0].getvalue(), "dataset/_common_metadata": both[1].getvalue()}


def data_files(tables: Mapping[tuple[int, int], pa.Table], suffix: str = ".parquet") -> Files:
    files = {leaf_name(order, pixel, suffix): parquet(table) for (order, pixel), table in tables.items()}
    files |= metadata_files(files)
    lines = [f"{order},{pixel}" for order, pixel in tables]
    return files | {"partition_info.csv": "\n".join(["Norder,Npix", *lines, ""]).encode()}


def finish(files: Files, values: Mapping[str, object]) -> Files:
    size = sum(map(len, files.values())) // 1000 + 1
    text = properties({**values, "hats_estsize": size})
    return {**files, "hats.properties": text, "properties": text}


def fraction(tables: Mapping[tuple[int, int], object]) -> str:
    return f"{sum(1 / (12 * 4**order) for order, _ in tables):.5f}"


def facts(kind: str, rows: int, **more) -> dict[str, object]:
    return {
        "obs_collection": f"demo_{kind}",
        "dataproduct_type": kind,
        "hats_nrows": rows,
        **more,
        "hats_builder": "by hand",
        "hats_creation_date": "2025-01-01T10:00Z",
        "hats_release_date": "2025-02-01T10:00Z",
        "hats_version": "1.0",
    }


def object_catalog(
    change: Callable[[dict[tuple[int, int], pa.Table]], None] | None = None, suffix: str = ".parquet"
) -> Files:
    """An object catalog with all that the note recommends; `change` edits its leaves first."""
    tables = tiles_of(stars())
    if change is not None:
        change(tables)
    files = data_files(tables, suffix)
    index = (
        pa.concat_tables([tiles_of(stars())[tile] for tile in tiles_of(stars())])
        .column("_healpix_29")
        .to_numpy()
    )
    counts = np.bincount(index >> 2 * (29 - SKYMAP_ORDER), minlength=12 * 4**SKYMAP_ORDER)
    files |= {"skymap.fits": skymap(counts), "point_map.fits": skymap(counts)}
    files["skymap.1.fits"] = skymap(counts.reshape(48, -1).sum(axis=1))
    files["data_thumbnail.parquet"] = parquet(
        pa.concat_tables([table.slice(0, 1) for table in tables.values()])
    )
    values = facts(
        "object", sum(table.num_rows for table in tables.values()),
        hats_col_ra="ra", hats_col_dec="dec", hats_cols_default="ra dec id", hats_col_healpix="_healpix_29",
        hats_col_healpix_order=29, hats_npix_suffix=suffix, hats_skymap_order=SKYMAP_ORDER,
        hats_skymap_alt_orders=1, hats_cols_sort="_healpix_29", hats_cols_survey_id="id", hats_max_rows=60,
        hats_order=2, moc_sky_fraction=fraction(tables),
    )  # fmt: skip
    return finish(files, values)


def separations(ra, dec, other_ra, other_dec) -> np.ndarray:
    """Angles in radians between positions in radians, shape (n, m)."""
    ours, theirs = (
        np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=-1)
        for lon, lat in ((ra, dec), (other_ra, other_dec))
    )
    return np.arccos(np.clip(ours @ theirs.T, -1, 1))


def margin(threshold: float = 7200.0) -> Files:
    """A margin of the object catalog: for each tile, the stars of other tiles whose distance is small."""
    table = stars()
    ra, dec = (np.radians(table.column(name).to_numpy()) for name in ("ra", "dec"))
    index = table.column("_healpix_29").to_numpy()
    tables = {}
    for order, pixel in tiles_of(table):
        inside = index >> 2 * (29 - order) == pixel
        # Brute force: the nearest of many points on the tile's outline.
        lon, lat = vertices(np.array([pixel], dtype=np.uint64), order, step=2_000)
        near = separations(ra, dec, lon.rad.ravel(), lat.rad.ravel()).min(axis=1) <= np.radians(
            threshold / 3600
        )
        chosen = near & ~inside
        if chosen.any():
            tables[order, pixel] = table.filter(pa.array(chosen))
    files = data_files(tables)
    values = facts(
        "margin", sum(table.num_rows for table in tables.values()),
        hats_col_ra="ra", hats_col_dec="dec", hats_primary_table_url="catalog",
        hats_margin_threshold=threshold, hats_order=max(order for order, _ in tables),
        moc_sky_fraction=fraction(tables),
    )  # fmt: skip
    return finish(files, values)


def index_table() -> Files:
    """An index of the object catalog by ``id``."""
    parts = [
        pa.table(
            {
                "id": table.column("id"),
                "Norder": pa.array([order] * table.num_rows, pa.uint8()),
                "Npix": pa.array([pixel] * table.num_rows, pa.uint64()),
            }
        )
        for (order, pixel), table in tiles_of(stars()).items()
    ]
    files = {"dataset/index/part.0.parquet": parquet(pa.concat_tables(parts).sort_by("id"))}
    files |= metadata_files(files)
    values = facts("index", ROWS, hats_primary_table_url="catalog", hats_index_column="id")
    return finish(files, values)


def association(soft: bool = False) -> Files:
    tables = {
        tile: table.select(["_healpix_29", "id"]).append_column("id_join", table.column("id"))
        for tile, table in tiles_of(stars()).items()
    }
    files = data_files(tables)
    if soft:
        joined = "".join(f"{order},{pixel},{order},{pixel}\n" for order, pixel in tables)
        files = {
            "partition_info.csv": files["partition_info.csv"],
            "partition_join_info.csv": f"Norder,Npix,join_Norder,join_Npix\n{joined}".encode(),
        }
    values = facts(
        "association", ROWS,
        hats_primary_table_url="catalog", hats_assn_join_table_url="other", hats_col_assn_primary="id",
        hats_col_assn_primary_assn="id", hats_col_assn_join="id", hats_col_assn_join_assn="id_join",
        hats_assn_leaf_files=not soft, hats_order=2, moc_sky_fraction=fraction(tables),
    )  # fmt: skip
    return finish(files, values)


def sky_values() -> Files:
    """A map: one row an order-1 pixel."""
    tables = {
        (0, base): pa.table({"_healpix_29": np.arange(4 * base, 4 * base + 4) << 56, "value": np.arange(4)})
        for base in range(12)
    }
    files = data_files(tables)
    return finish(files, facts("map", 48, hats_order=0, moc_sky_fraction="1.0"))


def collection() -> Files:
    """A collection of the object catalog, its margin and its index."""
    files: Files = {}
    for folder, member in (
        ("catalog", object_catalog()),
        ("margin_2deg", margin()),
        ("index_id", index_table()),
    ):
        files |= {f"{folder}/{path}": content for path, content in member.items()}
    files["collection.properties"] = properties(
        {
            "obs_collection": "demo",
            "hats_primary_table_url": "catalog",
            "all_margins": "margin_2deg",
            "default_margin": "margin_2deg",
            "all_indexes": "id index_id",
            "default_index": "id",
        }
    )
    return files


def write(root: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def described(report: Report) -> list[str]:
    return [
        f"{finding.rule} {finding.location}: {finding.message}, {finding.actual}"
        for finding in report.findings
    ]


def no_index(files: Files) -> None:
    """Nobody has to have an index column, but it is recommended."""
    for path in [path for path in files if path.endswith(".parquet")]:
        files[path] = parquet(read(files[path]).drop_columns("_healpix_29"))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})
    set_property(files, {"hats_col_healpix": None, "hats_col_healpix_order": None, "hats_cols_sort": None})


def order13(files: Files) -> None:
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        index = pa.array(table.column("_healpix_29").to_numpy() >> 32)
        files[path] = parquet(table.set_column(0, "healpix13", index))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})
    set_property(
        files, {"hats_col_healpix": "healpix13", "hats_col_healpix_order": 13, "hats_cols_sort": None}
    )
