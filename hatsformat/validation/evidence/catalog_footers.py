"""The Parquet footers of one catalog, and the schema that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa

from hatsformat import layout
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog_files import CatalogFiles
from hatsformat.validation.evidence.declared import Declared
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footers import (
    Footer,
    FooterSet,
    SchemaPool,
    read_footers,
    read_one_footer,
)
from hatsformat.validation.evidence.schemas import fingerprint
from hatsformat.validation.evidence.scope import Scope
from hatsformat.validation.evidence.tree import Artefact


class CatalogFooters:
    """The Parquet footers of one catalog; each is gathered once, when it is first needed.

    Parameters
    ----------
    scope : Scope
    folder : CatalogFolder
    declared : Declared
    files : CatalogFiles
    """

    def __init__(self, scope: Scope, folder: CatalogFolder, declared: Declared, files: CatalogFiles) -> None:
        self._scope = scope
        self._folder = folder
        self._declared = declared
        self._files = files
        self._schemas = SchemaPool()

    @cached_property
    def leaves(self) -> FooterSet:
        """The footers of the data files."""
        self._scope.require("footers")
        paths, column = self._files.leaves.paths, self._declared.index_column
        return read_footers(self._folder, paths, self._schemas, column)

    @cached_property
    def strays(self) -> FooterSet:
        """The footers of Parquet files among the leaves that have a different suffix."""
        self._scope.require("footers")
        if not self._folder.can_list:
            return FooterSet([], [])
        return read_footers(self._folder, self._files.dataset.strays.paths, self._schemas, None)

    def leaves_and_strays(self) -> Iterator[Footer]:
        """Yield the footers of strays and data files; see `FooterSet.each`."""
        yield from self.strays.readable
        yield from self.leaves.each()

    @cached_property
    def common_metadata(self) -> Artefact[Footer]:
        """The footer of ``dataset/_common_metadata``."""
        return self._read(layout.COMMON_METADATA)

    @cached_property
    def metadata(self) -> Artefact[Footer]:
        """The footer of ``dataset/_metadata``."""
        self._scope.require("footers")
        return self._read(layout.METADATA, self._declared.index_column)

    @cached_property
    def thumbnail(self) -> Artefact[Footer]:
        """The footer of ``data_thumbnail.parquet``."""
        return self._read(layout.THUMBNAIL)

    @cached_property
    def statistics(self) -> Artefact[Footer]:
        """The footer of ``per_partition_statistics.parquet``."""
        return self._read(layout.STATISTICS)

    def _read(self, path: str, column: str | None = None) -> Artefact[Footer]:
        return read_one_footer(self._folder, path, self._schemas, column)

    @cached_property
    def schema(self) -> pa.Schema:
        """The catalog's schema: that of most of its Parquet files, or of ``_common_metadata`` on a tie.

        Every data file has a vote, and ``_common_metadata`` and ``_metadata`` have one each, so that the file
        that is wrong is found rather than those that are right.
        """
        voters = [] if self.common_metadata.value is None else [self.common_metadata.value]
        if self._scope.reaches("footers"):
            voters += [*self.leaves.readable, *self.strays.readable]
            voters += [] if self.metadata.value is None else [self.metadata.value]
        if not voters:
            raise NoEvidenceError("no file with a schema could be read")
        # Equal schemas are one object, so there are few.
        schemas = {id(voter.schema): voter.schema for voter in voters}
        prints = {number: fingerprint(schema) for number, schema in schemas.items()}
        votes = Counter(prints[id(voter.schema)] for voter in voters)
        most = votes.most_common(1)[0][1]
        return next(voter.schema for voter in voters if votes[prints[id(voter.schema)]] == most)
