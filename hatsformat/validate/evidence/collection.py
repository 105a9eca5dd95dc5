"""Everything that is known of a collection: its properties, and its members as catalogs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property

from hatsformat import layout
from hatsformat.properties import (
    CollectionProperties,
    Problem,
    PropertiesDocument,
    parse_properties_text,
    validate_collection,
)
from hatsformat.validate.evidence.catalog import PROPERTIES_LIMIT, CatalogEvidence, Scope
from hatsformat.validate.evidence.tree import Artefact, Tree
from hatsformat.validate.faults import NoEvidenceError


@dataclass(frozen=True, slots=True)
class Member:
    """A table that a collection names.

    Attributes
    ----------
    keyword : str
        The keyword that names it.
    told : str
        The name as it stands in the file.
    path : str or None
        The subdirectory, without a slash at its end; None where the name leads out of the collection.
    field : str or None
        The indexed field of an index table.
    """

    keyword: str
    told: str
    path: str | None
    field: str | None = None

    @property
    def role(self) -> str:
        """``primary``, ``margin`` or ``index``."""
        return {"hats_primary_table_url": "primary"}.get(
            self.keyword, "margin" if "margin" in self.keyword else "index"
        )


class CollectionEvidence:
    """A collection: every attribute is gathered when it is first asked for; see `CatalogEvidence`.

    Parameters
    ----------
    tree : Tree
    scope : Scope
    """

    prefix = ""
    table_type = "collection"

    def __init__(self, tree: Tree, scope: Scope) -> None:
        self.tree = tree
        self.scope = scope

    @cached_property
    def file(self) -> Artefact[bytes]:
        """The content of ``collection.properties``."""
        return self.tree.read(layout.COLLECTION_PROPERTIES, PROPERTIES_LIMIT)

    @cached_property
    def document(self) -> PropertiesDocument:
        """The lines of the properties file."""
        return parse_properties_text(self.file.need())[0]

    @cached_property
    def properties(self) -> CollectionProperties:
        """What the properties file says."""
        return CollectionProperties.from_document(self.document)

    @cached_property
    def problems(self) -> list[Problem]:
        """Everything that is wrong with the properties file."""
        return validate_collection(self.document)

    @cached_property
    def members(self) -> list[Member]:
        """The tables that the collection names, each once."""
        told = self.properties
        found = []
        if told.hats_primary_table_url is not None:
            found.append(_member("hats_primary_table_url", told.hats_primary_table_url))
        found += [_member("all_margins", name) for name in told.all_margins or ()]
        if told.default_margin is not None and told.default_margin not in (told.all_margins or ()):
            found.append(_member("default_margin", told.default_margin))
        found += [_member("all_indexes", path, field) for field, path in told.indexes.items()]
        return found

    @cached_property
    def catalogs(self) -> dict[str, CatalogEvidence]:
        """The members that are there, by their subdirectory; the primary first."""
        found: dict[str, CatalogEvidence] = {}
        primary: CatalogEvidence | None = None
        for member in self.members:
            if member.path is None or member.path in found:
                continue
            prefix = f"{member.path}/" if member.path else ""
            catalog = CatalogEvidence(self.tree, prefix, self.scope, primary)
            if not catalog.has_catalog:
                continue
            found[member.path] = catalog
            if member.role == "primary":
                primary = catalog
        return found

    def catalog(self, member: Member) -> CatalogEvidence:
        """Return what is known of a member, or raise `NoEvidenceError` where it is not there."""
        if member.path is None or member.path not in self.catalogs:
            raise NoEvidenceError(f"the member {member.told} is not there")
        return self.catalogs[member.path]

    @cached_property
    def unlisted(self) -> list[str]:
        """Subdirectories with a catalog's properties file that the collection does not name."""
        named = {member.path for member in self.members}
        folders = {
            posixpath.dirname(path)
            for path in self.tree.files()
            if posixpath.basename(path) in layout.CATALOG_PROPERTIES
        }
        return sorted(folder for folder in folders - named if folder and "/" not in folder)


def _member(keyword: str, told: str, field: str | None = None) -> Member:
    path: str | None = None
    if layout.is_inside(told):
        path = posixpath.normpath(told.replace("\\", "/"))
        path = "" if path == "." else path
    return Member(keyword, told, path, field)
