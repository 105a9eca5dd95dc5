"""The kinds of supplements that a catalog may have: how each is named, made, and listed in a collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from upath import UPath

from hatsformat.margins import check_threshold
from hatsformat.partitioner.context import BuildContext
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.supplements.index import make_index
from hatsformat.supplements.index_entries import IndexPlan
from hatsformat.supplements.margin import make_margin
from hatsformat.supplements.primary import Primary


class Supplement(Protocol):
    """A supplement to be built."""

    def folder(self, primary: str) -> str:
        """Return the name of its directory, from that of the primary catalog's."""

    def check(self, schema: pa.Schema, path: object, /) -> None:
        """Raise `HatsError` if it cannot be built of a catalog with this schema."""

    def make(self, primary: Primary, name: str, url: str, root: UPath, context: BuildContext) -> None:
        """Write it into the folder `root`; `url` is where the primary catalog is."""

    def listed(self, properties: CollectionProperties, folder: str) -> CollectionProperties:
        """Return the properties of a collection with it, the default where there was none."""

    def is_at(self, properties: TableProperties) -> bool:
        """Return whether a table with these properties is such a supplement."""


@dataclass(frozen=True, slots=True)
class Margin:
    """A margin cache with a threshold in arcseconds."""

    threshold: float

    def folder(self, primary: str) -> str:
        """Return the name of its directory: ``stars_10arcs``."""
        return f"{primary}_{self.threshold:g}arcs"

    def check(self, _schema: pa.Schema, _path: object, /) -> None:
        """Refuse a threshold that is none."""
        check_threshold(self.threshold)

    def make(self, primary: Primary, name: str, url: str, root: UPath, context: BuildContext) -> None:
        """Write it: see `make_margin`."""
        make_margin(primary, self.threshold, name, url, root, context)

    def listed(self, properties: CollectionProperties, folder: str) -> CollectionProperties:
        """Return the properties of a collection with it, the default where there was none."""
        return properties.replace(
            all_margins=tuple(dict.fromkeys((*properties.margins, folder))),
            default_margin=properties.default_margin or folder,
        )

    def is_at(self, properties: TableProperties) -> bool:
        """Return whether a table with these properties is a margin of this threshold."""
        return properties.dataproduct_type == "margin" and properties.hats_margin_threshold == self.threshold


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a column, whose entries have extra columns; `role` is the option that names the column."""

    column: str
    extra: tuple[str, ...] = ()
    role: str = "index"

    def folder(self, primary: str) -> str:
        """Return the name of its directory: ``stars_id``."""
        return folder_name(f"{primary}_{self.column}")

    def check(self, schema: pa.Schema, path: object, /) -> None:
        """Refuse columns that are not there, have no order, or cannot be listed in properties."""
        IndexPlan.of(schema, self.column, self.extra, 1, path, self.role)
        self.listed(CollectionProperties(hats_primary_table_url="primary"), "index")
        TableProperties(hats_index_extra_column=self.extra or None)

    def make(self, primary: Primary, name: str, url: str, root: UPath, context: BuildContext) -> None:
        """Write it: see `make_index`."""
        rows = context.options.row_group_rows
        plan = IndexPlan.of(primary.schema, self.column, self.extra, rows, primary.root)
        make_index(primary, plan, name, url, root, context)

    def listed(self, properties: CollectionProperties, folder: str) -> CollectionProperties:
        """Return the properties of a collection with it, the default where there was none."""
        return properties.replace(
            all_indexes={**properties.indexes, self.column: folder},
            default_index=properties.default_index or self.column,
        )

    def is_at(self, properties: TableProperties) -> bool:
        """Return whether a table with these properties is an index of this column."""
        return properties.dataproduct_type == "index" and properties.hats_index_column == self.column


def of_table(properties: TableProperties) -> Supplement | None:
    """Return which supplement a table is; None for another kind of table."""
    if properties.dataproduct_type == "margin" and properties.hats_margin_threshold is not None:
        return Margin(properties.hats_margin_threshold)
    if properties.dataproduct_type == "index" and properties.hats_index_column is not None:
        return Index(properties.hats_index_column)
    return None


def folder_name(name: str) -> str:
    """Return a name as that of a directory, in one word that the lists of a properties file can hold."""
    return re.sub(r"[^\w.+-]+", "_", name).strip(".") or "catalog"
