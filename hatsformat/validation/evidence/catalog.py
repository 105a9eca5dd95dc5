"""The evidence about one catalog."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog_files import CatalogFiles
from hatsformat.validation.evidence.catalog_footers import CatalogFooters
from hatsformat.validation.evidence.catalog_rows import CatalogRows
from hatsformat.validation.evidence.declared import PRIMARY_TYPES, Declared, readings
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.scope import Scope
from hatsformat.validation.sanitizing import one_line

T = TypeVar("T")


class CatalogEvidence:
    """The evidence about one catalog; each part is gathered once, when it is first needed.

    Attributes raise `NoEvidenceError` if something is missing; the check is then not run.

    Parameters
    ----------
    folder : CatalogFolder
    scope : Scope
    role : str, optional
        What a collection takes the catalog for: ``primary``, ``margin`` or ``index``.
    primary : CatalogEvidence, optional
        The primary table of the collection that this is a member of.
    find : callable, optional
        Returns the catalog in a folder of the tree, or None.

    Attributes
    ----------
    declared : Declared
        The properties, and what follows from them.
    files : CatalogFiles
        The leaves, tile lists and sky maps.
    footers : CatalogFooters
        The footers of the Parquet files, and the schema.
    rows : CatalogRows
        The results of reading every row.
    """

    def __init__(
        self,
        folder: CatalogFolder,
        scope: Scope,
        role: str | None = None,
        primary: CatalogEvidence | None = None,
        find: Callable[[str], CatalogEvidence | None] | None = None,
    ) -> None:
        self.folder = folder
        self.scope = scope
        self.declared = Declared(folder, role)
        self.files = CatalogFiles(folder, self.declared)
        self.footers = CatalogFooters(scope, folder, self.declared, self.files)
        self._primary = primary
        self._find = find
        self._gathered: dict[str, Any] = {}

    @cached_property
    def rows(self) -> CatalogRows:
        """The results of reading every row."""
        try:
            primary = self.primary.files
        except NoEvidenceError:
            primary = None
        return CatalogRows(self.scope, self.folder, self.declared, self.files, self.footers, primary)

    @property
    def exists(self) -> bool:
        """Whether there is a properties file or data."""
        if self.declared.properties_files:
            return True
        try:
            return any(path.startswith("dataset/") for path in self.folder.paths)
        except NoEvidenceError:
            return False

    @property
    def primary(self) -> CatalogEvidence:
        """The primary table of the collection that this is a member of."""
        if self._primary is None:
            raise NoEvidenceError("the primary table is not in the validated path")
        if self._primary.declared.table_type not in PRIMARY_TYPES:
            raise NoEvidenceError("the collection's primary is not a catalog")
        return self._primary

    def linked(self, reference: str) -> CatalogEvidence:
        """Return a table that this one names, or raise `NoEvidenceError` if it is not in the tree.

        Parameters
        ----------
        reference : str
            Relative to the collection, to the catalog's parent or to the catalog: the note leaves it open.
        """
        for path in readings(reference, self.folder.prefix):
            found = None if self._find is None else self._find(path)
            if found is not None and found is not self:
                return found
        raise NoEvidenceError(f"the table {one_line(reference)} is not in the validated path")

    def cached(self, name: str, gather: Callable[[], T]) -> T:
        """Return the result of a function, or raise its `NoEvidenceError`; the function is called only once.

        For results that several checks share, such as comparisons with other tables.
        """
        if name not in self._gathered:
            try:
                self._gathered[name] = gather()
            except NoEvidenceError as missing:
                self._gathered[name] = missing
        found: Any = self._gathered[name]
        if isinstance(found, NoEvidenceError):
            raise found
        result: T = found
        return result
