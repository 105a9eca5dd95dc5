"""Building a margin or an index again, after its primary catalog was rebuilt."""

from __future__ import annotations

from upath import UPath

from hatsformat import layout, storage
from hatsformat.catalog import Catalog
from hatsformat.errors import UsageError
from hatsformat.partitioner.context import BuildContext
from hatsformat.properties import TableProperties
from hatsformat.supplements.kinds import Index, Supplement, of_table
from hatsformat.supplements.primary import Primary
from hatsformat.updates.metadata import write_properties

REBUILT = (
    "hats_nrows", "hats_npix_suffix", "hats_order", "moc_sky_fraction", "hats_release_date",
    "hats_skymap_order", "hats_skymap_alt_orders",
)  # fmt: skip
"""Keywords that follow from how a supplement is built; the others stay."""


def rebuild_member(member: Catalog, primary: Primary, root: UPath, context: BuildContext) -> int:
    """Build a margin or an index again, and return its rows.

    Parameters
    ----------
    member : Catalog
        The margin or index as it was.
    primary : Primary
        The primary catalog as it is now.
    root : UPath
        The folder to write to; its old content is removed.
    context : BuildContext

    Raises
    ------
    UsageError
        If the properties do not say how to build it.
    """
    old = member.properties
    supplement = _supplement(member)
    name, url = old.obs_collection or member.path.name, str(old.hats_primary_table_url or primary.root.name)
    storage.remove_tree(root)
    supplement.make(primary, name, url, root, context)
    new = TableProperties.parse(storage.read_bytes(root / layout.CATALOG_PROPERTIES[-1]))
    write_properties(root, old.replace(**{keyword: getattr(new, keyword) for keyword in REBUILT}))
    return new.hats_nrows or 0


def _supplement(member: Catalog) -> Supplement:
    old = member.properties
    supplement = of_table(old)
    if supplement is None:
        raise UsageError(
            "its properties do not say how to build it again",
            path=member.path,
            found=f"dataproduct_type {old.dataproduct_type}",
            expected="a margin with hats_margin_threshold, or an index with hats_index_column",
        )
    if isinstance(supplement, Index):
        return Index(supplement.column, old.hats_index_extra_column or ())
    return supplement
