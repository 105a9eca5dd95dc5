"""The demo: make a mock sky and import, validate, query and plot it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hatsformat import storage
from hatsformat.errors import HatsError, MissingExtraError, OutputError, UsageError
from hatsformat.healpix import FloatArray, unit_vectors

DEFAULT_FOLDER = "hatsformat-demo"
DEFAULT_ROWS = 200_000
MAX_ROWS = 50_000_000
_MARK = ".hatsformat-demo"
"""The file that marks a folder as made by the demo, so that the next run may replace its contents."""
_CONTENTS = ("input", "catalog", "sky.png")

_SEED = 20_250_801
_FILES = 6
_CLUSTERS = 150
_TO_ICRS = np.array(
    [
        [-0.0548755604, 0.4941094279, -0.8676661490],
        [-0.8734370902, -0.4448296300, -0.1980763734],
        [-0.4838350155, 0.7469822445, 0.4559837762],
    ]
)
"""Rotation from galactic to ICRS axes (The Hipparcos Catalogue, ESA 1997, volume 1, section 1.5.3)."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of the demo.

    Parameters
    ----------
    folder : str or Path
        The output folder: new, empty, or made by an earlier demo, whose files are replaced.
    rows : int
        Number of stars, from 1000 to `MAX_ROWS`.
    max_rows : int, optional
        Maximum number of rows in a tile; a twentieth of all rows by default.
    plot : bool
        Whether to draw the sky map, if matplotlib is installed.

    Raises
    ------
    UsageError
        If `rows` is out of range.
    """

    folder: str | Path = DEFAULT_FOLDER
    rows: int = DEFAULT_ROWS
    max_rows: int | None = None
    plot: bool = True

    def __post_init__(self) -> None:
        if not 1000 <= self.rows <= MAX_ROWS:
            raise UsageError(
                "the number of stars is out of range", found=self.rows, expected=f"1000 to {MAX_ROWS}"
            )


def mock_sky(rows: int = DEFAULT_ROWS, seed: int = _SEED) -> pa.Table:
    """Make a table of mock stars: disk, bulge and halo, the Magellanic Clouds and globular clusters.

    Parameters
    ----------
    rows : int
        Number of stars.
    seed : int
        Seed of the random numbers; the same seed gives the same table.

    Returns
    -------
    pyarrow.Table
        ``source_id`` int64; ``ra``, ``dec`` (degrees), ``pmra``, ``pmdec`` (mas/yr), ``phot_g``, ``colour``
        (mag, some null) float64; ``group`` string, the cluster a star belongs to (null for most).

    Examples
    --------
    >>> mock_sky(1000).column_names
    ['source_id', 'ra', 'dec', 'pmra', 'pmdec', 'phot_g', 'colour', 'group']
    """
    rng = np.random.default_rng(seed)
    vectors, groups = _positions(rng, rows)
    shuffled = rng.permutation(rows)
    vectors, groups = vectors[shuffled], groups[shuffled]
    magnitude = np.minimum(21.0 - rng.exponential(2.2, rows), 21.0)
    colour = rng.normal(0.9, 0.45, rows) + 0.05 * (magnitude - 16)
    names = np.array([f"GC{number:03d}" for number in range(_CLUSTERS)] + ["LMC", "SMC", ""])
    motion = rng.normal(0.0, 6.0, (2, rows))
    return pa.table(
        {
            "source_id": pa.array(np.arange(rows, dtype=np.int64) * 17 + 4_000_000_000),
            # Rounded, because sines differ in the last digit between machines.
            "ra": np.round(np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])), 9) % 360.0,
            "dec": np.round(np.degrees(np.arcsin(np.clip(vectors[:, 2], -1, 1))), 9),
            "pmra": np.round(motion[0], 3),
            "pmdec": np.round(motion[1], 3),
            "phot_g": np.round(magnitude, 3),
            "colour": pa.array(np.round(colour, 3), mask=magnitude > 20.5),
            "group": pa.array(names[groups], mask=groups == len(names) - 1, type=pa.string()),
        }
    )


def _positions(rng: np.random.Generator, rows: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return unit vectors in ICRS, shape (rows, 3), and the group index of each, shape (rows,)."""
    share = np.array([0.40, 0.14, 0.16, 0.06, 0.02, 0.22])
    disk, bulge, halo, lmc, smc, _ = sizes = np.floor(share * rows).astype(int)
    clustered = rows - int(sizes[:5].sum())
    degrees = [
        # The disk is thin and denser towards the centre; the bulge is round.
        np.stack((rng.normal(0, 75, disk), rng.laplace(0, 6, disk)), axis=1),
        rng.normal(0, 7, (bulge, 2)),
    ]
    galactic = _unit(np.concatenate(degrees))
    isotropic = rng.normal(size=(halo, 3))
    isotropic /= np.linalg.norm(isotropic, axis=1, keepdims=True)
    clouds = [
        _around(rng, _unit(np.array([[80.9, -69.8]])), 2.4, lmc),
        _around(rng, _unit(np.array([[13.2, -72.8]])), 1.0, smc),
    ]
    centres = (
        _unit(np.stack((rng.normal(0, 60, _CLUSTERS), rng.normal(0, 25, _CLUSTERS)), axis=1)) @ _TO_ICRS.T
    )
    member = np.sort(np.minimum(rng.exponential(_CLUSTERS / 4, clustered).astype(np.int64), _CLUSTERS - 1))
    # Globular clusters have dense cores and long wings: most stars within a few arcminutes, some far outside.
    spread = 0.05 * np.sqrt(rng.pareto(2.5, clustered))
    stars = _around(rng, centres[member], spread, clustered)
    vectors = np.concatenate([galactic @ _TO_ICRS.T, isotropic, *clouds, stars])
    none = np.full(disk + bulge + halo, _CLUSTERS + 2)
    groups = np.concatenate([none, np.full(lmc, _CLUSTERS), np.full(smc, _CLUSTERS + 1), member])
    return vectors, groups


def _unit(degrees: FloatArray) -> FloatArray:
    """Return longitudes and latitudes, shape (n, 2), as unit vectors; past a pole is the other side."""
    return unit_vectors(*degrees.T)


def _around(
    rng: np.random.Generator, centres: FloatArray, spread: float | FloatArray, count: int
) -> FloatArray:
    """Return `count` unit vectors scattered around centres; `spread` is in degrees."""
    offsets = rng.normal(size=(count, 3)) * np.radians(np.broadcast_to(spread, count))[:, np.newaxis]
    vectors = centres + offsets
    scattered: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scattered


def write_inputs(table: pa.Table, folder: Path) -> list[Path]:
    """Write a table as several Parquet and CSV files.

    Returns
    -------
    list of Path
        Four Parquet and two CSV files, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bounds = np.linspace(0, len(table), _FILES + 1).astype(int).tolist()
    files = []
    for part, (start, stop) in enumerate(pairwise(bounds)):
        rows = table.slice(start, stop - start)
        file = folder / f"sky-{part}.{'csv' if part >= _FILES - 2 else 'parquet'}"
        if file.suffix == ".csv":
            pa.csv.write_csv(rows, file)
        else:
            pq.write_table(rows, file)
        files.append(file)
    return files


def run_demo(options: DemoOptions | None = None, print_line: Callable[[str], None] = lambda _: None) -> bool:
    """Make a mock sky and import, validate, query and plot it.

    Parameters
    ----------
    options : DemoOptions, optional
        The size of the sky and the output folder.
    print_line : callable
        Called with each line of the output.

    Returns
    -------
    bool
        Whether the catalog is valid.

    Raises
    ------
    OutputError
        If the folder contains files that are not from a demo.
    """
    options = options or DemoOptions()
    return _Demo(options, print_line).run()


class _Demo:
    """One run of the demo."""

    def __init__(self, options: DemoOptions, print_line: Callable[[str], None]) -> None:
        self.options = options
        self.folder = Path(options.folder)
        self.print_line = print_line

    def run(self) -> bool:
        _prepare_folder(self.folder)
        files = self._make_inputs()
        self._import(files)
        valid = self._validate()
        self._query()
        if self.options.plot:
            self._plot()
        self.print_line(f"\nEverything is in {self.folder}; try: hatsformat info {self._path('catalog')}")
        return valid

    def _path(self, name: str) -> str:
        return str(self.folder / name)

    def _make_inputs(self) -> list[Path]:
        with self._step(f"Make a mock sky of {self.options.rows} stars, in {_FILES} files"):
            return write_inputs(mock_sky(self.options.rows), self.folder / "input")

    def _import(self, files: list[Path]) -> None:
        from hatsformat.catalog import open_catalog
        from hatsformat.importing import import_catalog

        max_rows = self.options.max_rows or max(self.options.rows // 20, 100)
        out = self._path("catalog")
        inputs = f"{shlex.quote(self._path('input'))}/*"
        command = f"import {inputs} --out {shlex.quote(out)} --name mock_sky --max-rows {max_rows}"
        with self._step(
            "Import it: small tiles where the sky is dense, large ones where it is sparse", command
        ):
            import_catalog(files, out, name="mock_sky", max_rows=max_rows)
        orders = open_catalog(out).partitions.orders
        self.print_line(f"  {len(orders)} tiles of orders {orders.min()} to {orders.max()}")

    def _validate(self) -> bool:
        from hatsformat.validation import validate

        catalog = self._path("catalog")
        with self._step(
            "Validate it: all rules of the HATS note, on every row", f"validate {shlex.quote(catalog)}"
        ):
            report = validate(catalog)
        self.print_line(f"  {'valid' if report.valid else 'not valid'}")
        return bool(report.valid)

    def _query(self) -> None:
        from hatsformat.catalog import open_catalog
        from hatsformat.regions import Cone

        catalog, cone = self._path("catalog"), Cone(80.9, -69.8, 0.5)
        columns = ["source_id", "ra", "dec", "phot_g"]
        command = f"query {shlex.quote(catalog)} --cone 80.9 -69.8 30arcmin --columns {','.join(columns)}"
        with self._step(
            "Query it: the stars within half a degree of the centre of the Large Magellanic Cloud", command
        ):
            rows = open_catalog(catalog).scan(columns=columns, region=cone).to_table()
        self.print_line(f"  {len(rows)} rows")

    def _plot(self) -> None:
        from hatsformat.catalog import open_catalog
        from hatsformat.plot import save_plot

        catalog, picture = self._path("catalog"), self._path("sky.png")
        command = f"plot {shlex.quote(catalog)} -o {shlex.quote(picture)} --overwrite"
        try:
            with self._step("Plot it: rows per square degree, with the outlines of the tiles", command):
                save_plot(open_catalog(catalog), picture)
        except MissingExtraError as error:
            self.print_line(f"  {error}")
        else:
            self.print_line(f"  {picture}")

    @contextmanager
    def _step(self, title: str, command: str | None = None) -> Iterator[None]:
        self.print_line(f"\n{title}")
        if command is not None:
            self.print_line(f"  $ hatsformat {command}")
        started = time.perf_counter()
        yield
        self.print_line(f"  {time.perf_counter() - started:.2f} s")


def _prepare_folder(folder: Path) -> None:
    """Create the output folder, or remove what an earlier demo wrote to it. Other files are never touched."""
    mark = folder / _MARK
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError("not a folder", path=folder)
        if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
            raise OutputError(
                "the folder contains files that are not from a demo",
                path=folder,
                hint="choose another folder",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name in _CONTENTS:
            storage.remove_tree(storage.resolve(folder / name))
        mark.write_text("Made by `hatsformat demo`, which may replace the files that it made here.\n")
    except HatsError:
        raise
    except OSError as error:
        raise OutputError(f"cannot create the folder: {error.strerror}", path=folder) from error
