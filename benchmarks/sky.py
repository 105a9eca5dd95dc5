"""A deterministic mock sky, clustered like the Milky Way: disc, bulge, Magellanic Clouds, globulars, halo.

What matters to a partitioner is that tiles differ by orders of magnitude in density, that every input file
covers the whole sky, and that values are rounded the way surveys round them, which decides how they
compress. Rows come in chunks of a fixed size, each from its own random stream, so a sky of any length is made
in bounded memory and its first chunks do not depend on how many follow.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

FloatArray = npt.NDArray[np.float64]

CHUNK_ROWS = 250_000
VERSION = 1
"""Part of a cached sky's name: to be raised whenever the values change."""

# Rows of this matrix are the galactic axes in ICRS (Hipparcos catalogue, vol. 1, section 1.5.3).
GALACTIC_AXES = np.array(
    [
        [-0.0548755604, -0.8734370902, -0.4838350155],
        [+0.4941094279, -0.4448296300, +0.7469822445],
        [-0.8676661490, -0.1980763734, +0.4559837762],
    ]
)

# RA, Dec in degrees: 47 Tuc, NGC 362, NGC 1851, NGC 2808, NGC 3201, M68, omega Cen, M3, M5, M4, M13, M12,
# M10, M62, M92, NGC 6397, M22, NGC 6752, M15, M2.
GLOBULARS = np.array(
    [
        [6.024, -72.081], [15.809, -70.849], [78.528, -40.047], [138.013, -64.863], [154.403, -46.412],
        [189.867, -26.744], [201.697, -47.480], [205.548, 28.377], [229.638, 2.081], [245.897, -26.526],
        [250.422, 36.460], [251.809, -1.949], [254.288, -4.100], [255.303, -30.114], [259.281, 43.136],
        [265.175, -53.674], [279.100, -23.905], [287.717, -59.985], [322.493, 12.167], [323.363, -0.823],
    ]
)  # fmt: skip

CLASSES = ("STAR", "GALAXY", "QSO", "VAR", "WD")

COLUMNS = (
    "source_id", "ra", "dec", "ra_error", "dec_error", "pmra", "pmdec",
    "g_mag", "g_mag_error", "r_mag", "r_mag_error", "flags", "class",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sky:
    """Which sky: how long, in how many files of which format, from which seed.

    Parameters
    ----------
    rows : int
        Number of rows in all.
    files : int
        Number of files they are spread over, as evenly as can be.
    format : str
        ``"parquet"`` or ``"csv"``.
    seed : int
        Seed of the random streams.
    """

    rows: int = 5_000_000
    files: int = 10
    format: str = "parquet"
    seed: int = 1

    @property
    def name(self) -> str:
        """Name of the directory it is cached in."""
        return f"sky{VERSION}-{self.rows}x{self.files}-{self.format}-{self.seed}"


def _from_galactic(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn galactic degrees into ICRS degrees."""
    lon, lat = np.radians(lon), np.radians(lat)
    galactic = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    x, y, z = GALACTIC_AXES.T @ galactic
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(np.clip(z, -1.0, 1.0)))


def _blob(
    rng: np.random.Generator, ra: FloatArray, dec: FloatArray, spread: float
) -> tuple[FloatArray, FloatArray]:
    """Scatter points about centres, normally, by `spread` degrees (away from the poles)."""
    new_dec = np.clip(dec + rng.normal(0.0, spread, len(dec)), -90.0, 90.0)
    new_ra = ra + rng.normal(0.0, spread, len(ra)) / np.cos(np.radians(dec))
    return new_ra % 360.0, new_dec


def positions(rng: np.random.Generator, rows: int) -> tuple[FloatArray, FloatArray]:
    """Draw `rows` positions.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    rows : int
        How many.

    Returns
    -------
    ra, dec : ndarray of float64, shape (rows,)
        ICRS degrees, ``0 <= ra < 360``, ``-90 <= dec <= 90``, in random order.
    """
    disc, bulge, lmc, smc, globular, halo = rng.multinomial(rows, [0.54, 0.14, 0.04, 0.01, 0.02, 0.25])
    towards_centre = rng.vonmises(0.0, 0.6, disc)
    centres = GLOBULARS[rng.integers(0, len(GLOBULARS), globular)]
    parts = [
        _from_galactic(np.degrees(towards_centre), np.clip(rng.laplace(0.0, 6.0, disc), -90.0, 90.0)),
        _from_galactic(rng.normal(0.0, 7.0, bulge), np.clip(rng.normal(0.0, 4.5, bulge), -90.0, 90.0)),
        _blob(rng, np.full(lmc, 80.894), np.full(lmc, -69.756), 2.5),
        _blob(rng, np.full(smc, 13.187), np.full(smc, -72.829), 1.2),
        _blob(rng, centres[:, 0], centres[:, 1], 0.15),
        (rng.uniform(0.0, 360.0, halo), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, halo)))),
    ]
    order = rng.permutation(rows)
    ra = np.concatenate([part[0] for part in parts])[order]
    dec = np.concatenate([part[1] for part in parts])[order]
    return np.round(ra, 10) % 360.0, np.round(dec, 10)


def _magnitudes(rng: np.random.Generator, rows: int) -> dict[str, npt.NDArray[Any]]:
    """Draw magnitudes (growing in number towards the faint end), colours and the errors that go with them."""
    g_mag = 21.0 - np.minimum(rng.exponential(1.6, rows), 18.0)
    r_mag = g_mag - rng.normal(0.7, 0.4, rows)
    noise = rng.lognormal(0.0, 0.15, (2, rows))

    def error(mag: FloatArray, scatter: FloatArray) -> npt.NDArray[np.float32]:
        return np.round((0.0015 + 10 ** (0.33 * (mag - 23.5))) * scatter, 6).astype(np.float32)

    return {
        "g_mag": np.round(g_mag, 4).astype(np.float32),
        "g_mag_error": error(g_mag, noise[0]),
        "r_mag": np.round(r_mag, 4).astype(np.float32),
        "r_mag_error": error(r_mag, noise[1]),
    }


def chunk(seed: int, number: int, rows: int) -> pa.Table:
    """Make one chunk of a sky.

    Parameters
    ----------
    seed, number : int
        Which random stream: the sky's seed and the chunk's place in it.
    rows : int
        How many rows, at most `CHUNK_ROWS`.

    Returns
    -------
    pyarrow.Table
        The 13 columns of `COLUMNS`; positions and proper motions float64, ids int64, flags int16.
    """
    rng = np.random.default_rng([seed, number])
    ra, dec = positions(rng, rows)
    magnitudes = _magnitudes(rng, rows)
    scale = magnitudes["g_mag_error"].astype(np.float64) * 20.0
    flags = np.where(rng.random(rows) < 0.8, 0, 1 << rng.integers(0, 10, rows)).astype(np.int16)
    kinds = pa.DictionaryArray.from_arrays(
        rng.choice(len(CLASSES), rows, p=[0.85, 0.1, 0.02, 0.02, 0.01]).astype(np.int8), list(CLASSES)
    )
    values = {
        "source_id": (np.arange(rows) + number * CHUNK_ROWS) * 64 + rng.integers(0, 64, rows),
        "ra": ra,
        "dec": dec,
        "ra_error": (scale * rng.lognormal(0.0, 0.2, rows)).astype(np.float32),
        "dec_error": (scale * rng.lognormal(0.0, 0.2, rows)).astype(np.float32),
        "pmra": rng.standard_t(3, rows) * 4.0 - 1.5,
        "pmdec": rng.standard_t(3, rows) * 4.0 - 3.0,
        **magnitudes,
        "flags": flags,
        "class": kinds.cast(pa.string()),
    }
    return pa.table({name: values[name] for name in COLUMNS})


def chunks(sky: Sky) -> Iterator[tuple[int, pa.Table]]:
    """Yield the chunks of a sky and, with each, the number of the file it belongs to."""
    ends = np.arange(1, sky.files + 1) * sky.rows // sky.files
    for number, start in enumerate(range(0, sky.rows, CHUNK_ROWS)):
        table = chunk(sky.seed, number, min(CHUNK_ROWS, sky.rows - start))
        stop = start + table.num_rows
        cuts = [start, *(int(end) for end in ends if start < end < stop), stop]
        for first, last in pairwise(cuts):
            file = int(np.searchsorted(ends, first, side="right"))
            yield file, table.slice(first - start, last - first)


def _writer(path: Path, schema: pa.Schema, file_format: str) -> Any:
    """Open a writer of Arrow tables."""
    if file_format == "csv":
        return pc.CSVWriter(str(path), schema, write_options=pc.WriteOptions(quoting_style="needed"))
    return pq.ParquetWriter(path, schema)


def _write(sky: Sky, directory: Path) -> None:
    """Write the files of a sky, a chunk in memory at a time."""
    # The chunks of a file come one after the other.
    for file, of_file in groupby(chunks(sky), key=itemgetter(0)):
        path = directory / f"part-{file:03d}.{sky.format}"
        tables = (table for _, table in of_file)
        first = next(tables)
        with _writer(path, first.schema, sky.format) as writer:
            for table in chain([first], tables):
                writer.write_table(table)


def make(sky: Sky, data: Path) -> list[Path]:
    """Return the files of a sky, and write them first if they are not in the cache.

    Parameters
    ----------
    sky : Sky
        Which sky.
    data : pathlib.Path
        Directory of the cache; made if missing.

    Returns
    -------
    list of pathlib.Path
        The files, in order.
    """
    directory = data / sky.name
    if not directory.is_dir():
        scratch = data / f".{sky.name}.{os.getpid()}"
        scratch.mkdir(parents=True)
        try:
            _write(sky, scratch)
            scratch.rename(directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return sorted(directory.glob(f"part-*.{sky.format}"))
