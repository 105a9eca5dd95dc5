"""Building the margins and the indexes of a collection again, after its primary catalog was rebuilt."""

from __future__ import annotations

from upath import UPath

from hatsformat import storage
from hatsformat.errors import UsageError
from hatsformat.partitioner.context import Work
from hatsformat.properties import TableProperties
from hatsformat.supplements.index import make_index
from hatsformat.supplements.index_entries import IndexPlan
from hatsformat.supplements.margin import make_margin
from hatsformat.supplements.primary import Primary
from hatsformat.updates.metadata import write_properties

REMADE = (
    "hats_nrows", "hats_npix_suffix", "hats_order", "moc_sky_fraction", "hats_release_date",
    "hats_skymap_order", "hats_skymap_alt_orders",
)  # fmt: skip
"""Keywords that follow from how a supplement is made; the others stay."""


def remake(old: TableProperties, path: UPath, primary: Primary, job: Work) -> int:
    """Build a margin or an index anew in the directory of a job, and return its rows.

    Parameters
    ----------
    old : TableProperties
        What the supplement said of itself.
    path : UPath
        Where it is, for messages.
    primary : Primary
        The catalog as it is now.
    job : Work
        Whatever is in its directory is removed.

    Raises
    ------
    UsageError
        If the properties do not tell how to build it.
    """
    name, url = old.obs_collection or path.name, str(old.hats_primary_table_url or primary.root.name)
    storage.remove_tree(job.root)
    if old.dataproduct_type == "margin" and old.hats_margin_threshold is not None:
        make_margin(primary, old.hats_margin_threshold, name, url, job)
    elif old.dataproduct_type == "index" and old.hats_index_column is not None:
        extra = old.hats_index_extra_column or ()
        rows = job.options.row_group_rows
        plan = IndexPlan.of(primary.schema, old.hats_index_column, extra, rows, path)
        make_index(primary, plan, name, url, job)
    else:
        raise UsageError(
            "its properties do not tell how to build it again",
            path=path,
            found=f"dataproduct_type {old.dataproduct_type}",
            expected="a margin with hats_margin_threshold, or an index with hats_index_column",
        )
    new = TableProperties.parse(storage.read_bytes(job.root / "hats.properties"))
    write_properties(job.root, old.replace(**{keyword: getattr(new, keyword) for keyword in REMADE}))
    return new.hats_nrows or 0
