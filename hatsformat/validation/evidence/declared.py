"""The declarations of a catalog: its properties files, and what follows from them."""

from __future__ import annotations

import posixpath
from contextlib import suppress
from functools import cached_property
from typing import Any

from hatsformat import layout
from hatsformat.properties import (
    TABLE_TYPES,
    Problem,
    PropertiesDocument,
    TableProperties,
    parse_properties_text,
    validate_table,
)
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.tree import Artefact

PROPERTIES_LIMIT = 1 << 20
"""The most bytes of a properties file that are read."""

PRIMARY_TYPES = ("object", "source", "nested", "map")
"""The types of table that can have supplements."""


class Declared:
    """The properties of one catalog; each part is gathered once, when it is first needed.

    Parameters
    ----------
    folder : CatalogFolder
    role : str, optional
        What a collection takes the catalog for: ``primary``, ``margin`` or ``index``.
    """

    def __init__(self, folder: CatalogFolder, role: str | None = None) -> None:
        self._folder = folder
        self._role = role

    @cached_property
    def properties_files(self) -> dict[str, Artefact[bytes]]:
        """The existing properties files, the preferred one first."""
        found = {name: self._folder.read_bytes(name, PROPERTIES_LIMIT) for name in layout.CATALOG_PROPERTIES}
        return {name: file for name, file in found.items() if file.is_there}

    @cached_property
    def properties_path(self) -> str:
        """The preferred properties file."""
        for name, file in self.properties_files.items():
            if file.value is not None:
                return name
        raise NoEvidenceError("no properties file could be read")

    @cached_property
    def document(self) -> PropertiesDocument:
        """The lines of the properties file."""
        return parse_properties_text(self.properties_files[self.properties_path].need())[0]

    @property
    def documents(self) -> list[PropertiesDocument]:
        """The lines of all readable properties files, the preferred one first."""
        files = self.properties_files.values()
        return [parse_properties_text(file.value)[0] for file in files if file.value is not None]

    @cached_property
    def properties(self) -> TableProperties:
        """The parsed properties; an attribute is None if it is missing or invalid."""
        return TableProperties.from_document(self.document)

    @cached_property
    def problems(self) -> list[Problem]:
        """The problems of the properties file."""
        return validate_table(self.document)

    @cached_property
    def table_type(self) -> str:
        """The type of table; from the collection or the tree if the properties do not declare it."""
        with suppress(NoEvidenceError):
            declared = self.properties.dataproduct_type
            if declared in TABLE_TYPES:
                return str(declared)
        if self._role in TABLE_TYPES:
            return str(self._role)
        with suppress(NoEvidenceError):
            if any(path.startswith(f"{layout.INDEX_DIR}/") for path in self._folder.paths):
                return "index"
        return "object"

    def value(self, keyword: str) -> Any:
        """Return the value of a keyword, or raise `NoEvidenceError` if there is none."""
        found = getattr(self.properties, keyword)
        if found is None:
            raise NoEvidenceError(f"the properties have no valid {keyword}")
        return found

    @property
    def no_leaf_files(self) -> bool:
        """Whether this is an association that declares that it has no leaf files."""
        try:
            return self.table_type == "association" and self.properties.hats_assn_leaf_files is False
        except NoEvidenceError:
            return False

    @property
    def leaf_suffix(self) -> str:
        """The declared suffix of the leaves, ``.parquet`` where none is."""
        try:
            return self.properties.npix_suffix
        except NoEvidenceError:
            return layout.LEAF_SUFFIX

    @property
    def index_column(self) -> str:
        """The name of the HEALPix index column, even if the column is missing."""
        try:
            return self.properties.healpix_column
        except NoEvidenceError:
            return "_healpix_29"

    @property
    def index_order(self) -> int:
        """The order of the index column's values."""
        try:
            return self.properties.healpix_order
        except NoEvidenceError:
            return 29

    @property
    def association_keys(self) -> tuple[str, ...]:
        """The columns of an association with the keys of its two tables."""
        found = self.properties
        names = (
            found.hats_col_assn_primary_assn or found.hats_col_assn_primary,
            found.hats_col_assn_join_assn or found.hats_col_assn_join,
        )
        return tuple(name for name in names if name is not None)


def readings(reference: str, prefix: str) -> list[str]:
    """Return the directories of the tree that a table named in a catalog may be: the note leaves it open.

    Parameters
    ----------
    reference : str
        Relative to the collection, to the catalog's parent or to the catalog.
    prefix : str
        The catalog's directory, with a slash at its end; empty for the root.
    """
    if reference.startswith("/") or "://" in reference:
        return []
    paths = [
        posixpath.normpath(posixpath.join(base, reference))
        for base in ("", posixpath.dirname(prefix.rstrip("/")), prefix)
    ]
    # A path that leads out of the tree is not meant to end at its root.
    return ["" if path == "." else path for path in paths if not path.startswith("..")]
