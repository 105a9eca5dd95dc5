"""What a catalog says of itself: which files it has, and what its properties tell."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
from hatsformat.validation.check_api import NoEvidenceError, RowCheck
from hatsformat.validation.evidence.tree import Artefact, Tree
from hatsformat.validation.requirements import LEVELS

PROPERTIES_LIMIT = 1 << 20
"""The most bytes of a properties file that are read."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How a validation was asked for.

    Attributes
    ----------
    edition, level : str
    row_checks : mapping of str to RowCheck
        The checks that see every row, by the requirement's id.
    """

    edition: str
    level: str
    row_checks: Mapping[str, RowCheck] = field(default_factory=dict)

    def reaches(self, level: str) -> bool:
        """Whether the validation goes as deep as `level`."""
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def need(self, level: str) -> None:
        """Raise `NoEvidenceError` where the validation does not go that deep."""
        if not self.reaches(level):
            raise NoEvidenceError(f"a validation of the level {self.level} does not read {level}")


class CatalogStatements:
    """The files and the properties of one catalog; see `CatalogEvidence`.

    Parameters
    ----------
    tree : Tree
    prefix : str
        The catalog's directory in the tree, with a slash at its end; empty for the root.
    scope : Scope

    Attributes
    ----------
    role : str or None
        What a collection takes the catalog for: its primary table, a margin or an index.
    """

    role: str | None = None

    def __init__(self, tree: Tree, prefix: str, scope: Scope) -> None:
        self.tree = tree
        self.prefix = prefix
        self.scope = scope

    # Files

    @cached_property
    def files(self) -> dict[str, None]:
        """The paths of the catalog's own files, in order: those in its directory and below ``dataset/``."""
        everything = self.tree.files()
        start, dataset = len(self.prefix), f"{layout.DATASET}/"
        inside = (
            (path[start:] for path in everything if path.startswith(self.prefix)) if start else everything
        )
        return dict.fromkeys(path for path in inside if path.startswith(dataset) or "/" not in path)

    def read(self, path: str, limit: int) -> Artefact[bytes]:
        """Read a small file."""
        found = self.tree.read(self.prefix + path, limit)
        return Artefact(path, found.value, found.error)

    # Properties

    @cached_property
    def properties_files(self) -> dict[str, Artefact[bytes]]:
        """The properties files that are there, the one that counts first."""
        found = {name: self.read(name, PROPERTIES_LIMIT) for name in layout.CATALOG_PROPERTIES}
        return {name: file for name, file in found.items() if file.is_there}

    @cached_property
    def properties_path(self) -> str:
        """The properties file that counts."""
        for name, file in self.properties_files.items():
            if file.value is not None:
                return name
        raise NoEvidenceError("there is no properties file that can be read")

    @cached_property
    def document(self) -> PropertiesDocument:
        """The lines of the properties file."""
        return parse_properties_text(self.properties_files[self.properties_path].need())[0]

    @property
    def documents(self) -> list[PropertiesDocument]:
        """The lines of all properties files that can be read, the one that counts first."""
        files = self.properties_files.values()
        return [parse_properties_text(file.value)[0] for file in files if file.value is not None]

    @cached_property
    def properties(self) -> TableProperties:
        """What the properties file says; an attribute is None where it does not, or cannot be read."""
        return TableProperties.from_document(self.document)

    @cached_property
    def problems(self) -> list[Problem]:
        """Everything that is wrong with the properties file."""
        return validate_table(self.document)

    @cached_property
    def table_type(self) -> str:
        """The type of table; by the collection or the tree where the properties do not say."""
        with suppress(NoEvidenceError):
            stated = self.properties.dataproduct_type
            if stated in TABLE_TYPES:
                return str(stated)
        if self.role in TABLE_TYPES:
            return str(self.role)
        with suppress(NoEvidenceError):
            if any(path.startswith(f"{layout.INDEX_DIR}/") for path in self.files):
                return "index"
        return "object"

    def value(self, keyword: str) -> Any:
        """Return the value of a keyword, or raise `NoEvidenceError` where there is none."""
        found = getattr(self.properties, keyword)
        if found is None:
            raise NoEvidenceError(f"the properties say nothing readable of {keyword}")
        return found

    @property
    def is_soft(self) -> bool:
        """Whether this is an association that says it has no leaf files."""
        try:
            return self.table_type == "association" and self.properties.hats_assn_leaf_files is False
        except NoEvidenceError:
            return False

    @property
    def has_catalog(self) -> bool:
        """Whether there is anything of a catalog here: a properties file, or data."""
        try:
            return bool(self.properties_files) or any(path.startswith("dataset/") for path in self.files)
        except NoEvidenceError:
            return bool(self.properties_files)


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
    # A path that climbs out of the tree is not one that was meant to end at its root.
    return ["" if path == "." else path for path in paths if not path.startswith("..")]
