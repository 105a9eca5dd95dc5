"""Keys of positions, which identify rows in margins and their primary tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hatsformat.healpix import FloatArray, IntArray
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.key_hashing import KeyArray, mixed


@dataclass(frozen=True)
class Coordinates:
    """The columns of the positions, and how exactly both tables have them."""

    ra: str
    dec: str
    is_single: bool
    slack: float


def coordinates_of(margin: CatalogEvidence, primary: CatalogEvidence) -> Coordinates:
    """Return the columns of the positions, which both tables must have as numbers.

    Raises
    ------
    NoEvidenceError
        If they do not.
    """
    properties = primary.declared.properties
    if properties.hats_col_ra is None or properties.hats_col_dec is None:
        raise NoEvidenceError("the primary table does not declare its coordinates")
    own = margin.declared.properties
    names = own.hats_col_ra or properties.hats_col_ra, own.hats_col_dec or properties.hats_col_dec
    if names != (properties.hats_col_ra, properties.hats_col_dec):
        raise NoEvidenceError("the margin and the primary table have different coordinate columns")
    kinds = []
    for catalog in (margin, primary):
        for name in names:
            if catalog.footers.schema.names.count(name) != 1:
                raise NoEvidenceError(f"the column {name} is missing")
            kind = catalog.footers.schema.field(name).type
            if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
                raise NoEvidenceError(f"the column {name} is not numeric")
            kinds.append(kind)
    is_single = any(pa.types.is_float32(kind) or pa.types.is_float16(kind) for kind in kinds)
    slack = np.radians(float(np.spacing(np.float32(360)))) if is_single else 1e-14
    return Coordinates(names[0], names[1], is_single, float(slack))


def position_keys(ra: FloatArray, dec: FloatArray, where: Coordinates) -> KeyArray:
    """Return a key for each position."""
    if where.is_single:
        ra, dec = ra.astype(np.float32).astype(np.float64), dec.astype(np.float32).astype(np.float64)
    keys: KeyArray = mixed(ra + 0.0) ^ (mixed(dec + 0.0) << np.uint64(1))
    return keys


def with_tile(keys: KeyArray, tiles: IntArray) -> KeyArray:
    """Return a key for each position in each tile."""
    return mixed(keys + mixed(tiles.astype(np.int64)))
