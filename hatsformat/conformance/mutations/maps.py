"""Mutations of sky maps."""

from __future__ import annotations

import numpy as np

from hatsformat.conformance import fits
from hatsformat.conformance.artefacts import sky_counts
from hatsformat.conformance.mutations.registry import Mutated, Paths, Value, expand, mutation
from hatsformat.conformance.tree import Tree, content
from hatsformat.healpix import npix


@mutation
def set_card(tree: Tree, *, path: Paths, keyword: str, value: Value) -> Mutated:
    """Set the value of a keyword in the last header of a FITS file that has it."""
    changed = {name: fits.set_card(content(tree, name), keyword, value) for name in expand(tree, path)}
    return {**tree, **changed}


@mutation
def draw_map(
    tree: Tree, *, path: Paths, order: int, scheme: str = "NESTED", sparse: bool = True,
    add: int = 0, shift: int = 0, turn: bool = False, member: str = "",
) -> Mutated:  # fmt: skip
    """Rewrite the sky map: add rows to the fullest pixel, shift pixels, or reverse each four pixels."""
    counts = sky_counts(tree, member, order)
    counts[int(np.argmax(counts))] += add
    counts = np.roll(counts, shift)
    if turn:
        counts = counts.reshape(-1, 4)[:, ::-1].ravel()
    if scheme == "RING":
        from cdshealpix import from_ring

        # Pixel k of the RING map is pixel from_ring(k) of the NESTED one.
        counts = counts[from_ring(np.arange(npix(order), dtype=np.uint64), order).astype(np.int64)]
    data = fits.encode_map(order, counts, sparse=sparse, ordering=scheme)
    targets = [path] if isinstance(path, str) and path not in tree else expand(tree, path)
    return {**tree, **dict.fromkeys(targets, data)}
