"""Thresholds of rows and of bytes, orders, siblings: what holds for the tiles of any sky."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat.errors import ThresholdError
from hatsformat.importing import run_import
from tests.support import skies
from tests.support.imports import content, folder, little_memory
from tests.support.row_weights import weight


def weights(table: pa.Table) -> np.ndarray:
    """The bytes of each row, by the definition: its values, and its place in the index column."""
    rows = [[8 + sum(weight(row[c.name], c.type) for c in table.schema)] for row in table.to_pylist()]
    return np.array(rows, dtype=np.int64).ravel()


def sums(pixels: np.ndarray, amounts: np.ndarray) -> dict[int, int]:
    """The amount in each pixel."""
    found, number = np.unique(pixels, return_inverse=True)
    return dict(zip(found.tolist(), np.bincount(number, amounts).astype(int).tolist(), strict=True))


@st.composite
def noted(draw: st.DrawFn) -> pa.Table:
    """A sky whose rows differ in size."""
    table = skies.dressed(*draw(skies.positions(80)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    notes = ["x" * int(length) for length in rng.integers(0, draw(st.sampled_from([1, 300])), len(table))]
    return table.append_column("note", pa.array(notes))


@settings(max_examples=60)
@given(
    noted(), st.sampled_from([0, 2, 6, 9, 13]), st.integers(0, 10), st.booleans(), st.booleans(), st.data()
)
def test_no_tile_holds_more_than_it_may_and_none_is_smaller_than_it_must(
    table: pa.Table, highest: int, lowest: int, by_bytes: bool, keep: bool, data: st.DataObject
) -> None:
    lowest = min(lowest, highest)
    amounts = weights(table) if by_bytes else np.ones(len(table), dtype=np.int64)
    finest = skies.healpix(table["ra"], table["dec"], highest)
    least = max(sums(finest, amounts).values())
    limit = data.draw(st.sampled_from([least, least + 1, 2 * least, 10**9]), "threshold")
    options = {"lowest_order": lowest, "highest_order": highest, "keep_empty_siblings": keep}
    options["max_bytes" if by_bytes else "max_rows"] = limit
    with folder() as parent:
        run_import(table, parent / "sky", **options)
        leaves = skies.read_leaves(parent / "sky")
        keyword = "hats_max_bytes" if by_bytes else "hats_max_rows"
        assert skies.read_properties(parent / "sky")[keyword] == str(limit)
        if limit == least and least > 1:
            with pytest.raises(ThresholdError):
                run_import(table, parent / "small", **{**options, keyword.removeprefix("hats_"): least - 1})
            assert not (parent / "small").exists()
    taken = np.zeros(len(table), dtype=int)
    for leaf in leaves:
        assert lowest <= leaf.order <= highest
        inside = finest >> 2 * (highest - leaf.order) == leaf.pixel
        taken += inside
        assert len(leaf.table) == inside.sum() > 0
        assert amounts[inside].sum() <= limit
        children = np.unique(finest[inside] >> 2 * max(0, highest - leaf.order - 1))
        if not keep and leaf.order < highest:
            assert len(children) > 1  # a tile with one child that holds rows would be that child
        if leaf.order > lowest:
            # The tile above holds too much, or nothing but this one.
            above = finest >> 2 * (highest - leaf.order + 1) == leaf.pixel >> 2
            alone = not keep and (above == inside).all()
            assert amounts[above].sum() > limit or alone
    assert (taken == 1).all()
    skies.assert_same_rows(
        pa.concat_tables([leaf.table for leaf in leaves]).drop_columns([skies.INDEX]), table
    )


@settings(max_examples=10)
@given(skies.positions(80), st.integers(0, 8))
def test_one_order_only(places: tuple[np.ndarray, np.ndarray], order: int) -> None:
    table = skies.dressed(*places)
    with folder() as parent:
        run_import(table, parent / "sky", lowest_order=order, highest_order=order)
        pixels = np.unique(skies.healpix(table["ra"], table["dec"], order)).tolist()
        assert [(leaf.order, leaf.pixel) for leaf in skies.read_leaves(parent / "sky")] == [
            (order, pixel) for pixel in pixels
        ]


@st.composite
def strange(draw: st.DrawFn) -> pa.Table:
    """A sky with floats of any bits: NaN with payloads, zeros of both signs, subnormals, infinities."""
    ra, dec = draw(skies.positions(60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = len(ra)
    special = np.array(
        [0, 1 << 63, 0x7FF8 << 48, 0x7FF0 << 48, 0xFFF0 << 48, (0x7FF8 << 48) + 5, 1], np.uint64
    )
    wide = np.where(
        rng.random(count) < 0.5, rng.choice(special, count), rng.integers(0, 2**64, count, np.uint64)
    )
    single = rng.integers(0, 2**32, count, np.uint32)
    single[rng.random(count) < 0.3] = 1 << 31
    missing = rng.random(count) < 0.2
    return pa.table(
        {
            "id": np.arange(count),
            "ra": ra,
            "dec": dec,
            "wide": pa.array(wide.view(np.float64), mask=missing),
            "single": pa.array(single.view(np.float32), from_pandas=False),
            "band": pa.array(rng.choice(["", "g", "ü"], count), mask=missing),
            "key": rng.integers(0, 3, count),
        }
    )


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@settings(max_examples=15)
@given(strange(), st.booleans(), st.sampled_from([300, 5000]), st.sampled_from([None, 2]))
def test_every_bit_survives_and_the_executor_does_not_show(
    pool: Executor, table: pa.Table, sort: bool, chunk: int, delta: int | None
) -> None:
    options = {"highest_order": 8, "row_group_rows": 9, "name": "sky", "subtile_order_delta": delta}
    finest = skies.healpix(table["ra"], table["dec"], 8)
    options["max_rows"] = int(np.unique(finest, return_counts=True)[1].max()) + 2
    options["sort_by"] = ("key", "id") if sort else ()
    with folder() as parent:
        run_import(table, parent / "threads", workers=2, **options)
        skies.assert_same_rows(skies.read_rows(parent / "threads"), table)
        with little_memory(chunk=chunk):
            run_import([table.slice(0, 20), table.slice(20)], parent / "pool", executor=pool, **options)
        assert content(parent / "pool") == content(parent / "threads")
        for leaf in skies.read_leaves(parent / "threads"):
            names = [skies.INDEX, "key", "id"] if sort else [skies.INDEX, "id"]
            keys = [(name, "ascending") for name in names]
            assert pc.sort_indices(leaf.table, keys).to_pylist() == list(range(len(leaf.table)))
        if sort:  # nothing ties, so the order of the input does not show, either
            mixed = table.take(np.random.default_rng(0).permutation(len(table)))
            run_import(mixed, parent / "mixed", **options)
            assert content(parent / "mixed") == content(parent / "threads")
