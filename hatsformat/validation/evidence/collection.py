"""The evidence about a collection: its properties, and its members as catalogs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hatsformat import layout
from hatsformat.properties import (
    CollectionProperties,
    ExtensionProperties,
    Problem,
    PropertiesDocument,
    parse_properties_text,
    validate_collection,
    validate_extension,
)
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.declared import PROPERTIES_LIMIT, readings
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.scope import Scope
from hatsformat.validation.evidence.tree import Artefact, OutsideError, Tree


@dataclass(frozen=True, slots=True)
class Member:
    """A table that a collection lists.

    Attributes
    ----------
    keyword : str
        The keyword that names it.
    reference : str
        The name in the file.
    path : str or None
        The subdirectory, without a trailing slash; None if the name leads out of the collection.
    field : str or None
        The indexed field of an index table.
    """

    keyword: str
    reference: str
    path: str | None
    field: str | None = None

    @property
    def role(self) -> str:
        """``primary``, ``margin`` or ``index``."""
        return {"hats_primary_table_url": "primary"}.get(
            self.keyword, "margin" if "margin" in self.keyword else "index"
        )


class Extension:
    """An extension that a collection lists: a properties file at its root.

    Parameters
    ----------
    name : str
        Its name in ``all_extensions``.
    path : str
        The file, relative to the collection.
    file : Artefact of bytes
        Its content.
    """

    def __init__(self, name: str, path: str, file: Artefact[bytes]) -> None:
        self.name = name
        self.path = path
        self.file = file

    @cached_property
    def document(self) -> PropertiesDocument:
        """The lines of the file; raises `NoEvidenceError` if it cannot be read."""
        return parse_properties_text(self.file.need())[0]

    @cached_property
    def properties(self) -> ExtensionProperties:
        """The parsed properties."""
        return ExtensionProperties.from_document(self.document)

    @cached_property
    def problems(self) -> list[Problem]:
        """The problems of the file."""
        return validate_extension(self.document)


class CollectionEvidence:
    """The evidence about a collection; each part is gathered once, when it is first needed.

    Parameters
    ----------
    tree : Tree
    scope : Scope
    """

    def __init__(self, tree: Tree, scope: Scope) -> None:
        self.tree = tree
        self.scope = scope
        self._others: dict[str, CatalogEvidence | None] = {}

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
        """The parsed properties."""
        return CollectionProperties.from_document(self.document)

    @cached_property
    def problems(self) -> list[Problem]:
        """The problems of the properties file."""
        return validate_collection(self.document)

    @cached_property
    def members(self) -> list[Member]:
        """The tables that the collection lists, without duplicates."""
        properties = self.properties
        found = []
        if properties.hats_primary_table_url is not None:
            found.append(_member("hats_primary_table_url", properties.hats_primary_table_url))
        found += [_member("all_margins", name) for name in properties.all_margins or ()]
        if properties.default_margin is not None and properties.default_margin not in (
            properties.all_margins or ()
        ):
            found.append(_member("default_margin", properties.default_margin))
        found += [_member("all_indexes", path, field) for field, path in properties.indexes.items()]
        return found

    @cached_property
    def catalogs(self) -> dict[str, CatalogEvidence]:
        """The existing members by subdirectory, the primary first.

        Associations, and the tables that they and extensions join, are among them: the note has no keyword
        that lists them.
        """
        found: dict[str, CatalogEvidence] = {}
        primary: CatalogEvidence | None = None
        for member in self.members:
            if member.path is None or member.path in found:
                continue
            catalog = self._at(member.path, member.role, primary)
            if not catalog.exists:
                continue
            found[member.path] = catalog
            if member.role == "primary":
                primary = catalog
        for folder in self._folders if self.tree.can_list else []:
            if folder not in found:
                catalog = self._at(folder, None, primary)
                if catalog.declared.table_type == "association":
                    found[folder] = catalog
        for folder in self._joined(found):
            found.setdefault(folder, self._at(folder))
        return found

    def _joined(self, members: Mapping[str, CatalogEvidence]) -> list[str]:
        """Return the subdirectories with tables that associations and extensions join with the primary."""
        if not self.tree.can_list:
            return []
        links = [
            (catalog.folder.prefix, catalog.declared.properties.hats_assn_join_table_url)
            for catalog in members.values()
            if catalog.declared.table_type == "association" and catalog.declared.properties_files
        ]
        links += [
            ("", extension.properties.hats_assn_join_table_url)
            for extension in self.extensions
            if extension.file.value is not None
        ]
        named = [
            [path for path in readings(reference, prefix) if path in self._folders]
            for prefix, reference in links
            if reference is not None
        ]
        return [paths[0] for paths in named if paths]

    def _at(
        self, path: str, role: str | None = None, primary: CatalogEvidence | None = None
    ) -> CatalogEvidence:
        folder = CatalogFolder(self.tree, f"{path}/" if path else "")
        return CatalogEvidence(folder, self.scope, role, primary, self.find)

    def find(self, path: str) -> CatalogEvidence | None:
        """Return the catalog in a subdirectory, or None; it need not be a member."""
        if path in self.catalogs:
            return self.catalogs[path]
        if path not in self._others:
            catalog = self._at(path)
            self._others[path] = catalog if catalog.exists else None
        return self._others[path]

    def catalog(self, member: Member) -> CatalogEvidence:
        """Return the evidence about a member, or raise `NoEvidenceError` if it is missing."""
        if member.path is None or member.path not in self.catalogs:
            raise NoEvidenceError(f"the member {member.reference} is missing")
        return self.catalogs[member.path]

    @cached_property
    def _folders(self) -> list[str]:
        """The subdirectories with a catalog's properties file."""
        folders = {
            posixpath.dirname(path)
            for path in self.tree.files()
            if path.count("/") == 1 and posixpath.basename(path) in layout.CATALOG_PROPERTIES
        }
        return sorted(folders)

    @property
    def unlisted(self) -> list[str]:
        """Subdirectories with a catalog that the collection does not list."""
        named = {member.path for member in self.members} | set(self.catalogs)
        return [folder for folder in self._folders if folder not in named]

    @cached_property
    def extensions(self) -> list[Extension]:
        """The extensions that the collection lists, without duplicates."""
        return [
            Extension(name, path, self._read_inside(path))
            for name, path in self.properties.extensions.items()
        ]

    def _read_inside(self, path: str) -> Artefact[bytes]:
        if not layout.is_inside(path):
            return Artefact(path, error=OutsideError("the extension is outside the collection", path=path))
        return self.tree.read(path, PROPERTIES_LIMIT)

    @cached_property
    def unlisted_extensions(self) -> list[str]:
        """Unlisted properties files of extensions at the root."""
        listed = {extension.path for extension in self.extensions}
        found = []
        for path in self.tree.files():
            if "/" not in path and path.endswith(".properties") and path not in (*_OWN_FILES, *listed):
                file = self.tree.read(path, PROPERTIES_LIMIT)
                if file.value is not None and _declares_extension(file.value):
                    found.append(path)
        return found


_OWN_FILES = (layout.COLLECTION_PROPERTIES, *layout.CATALOG_PROPERTIES)


def _declares_extension(content: bytes) -> bool:
    return parse_properties_text(content)[0].to_dict().get("dataproduct_type", "").strip() == "extension"


def _member(keyword: str, reference: str, field: str | None = None) -> Member:
    path: str | None = None
    if layout.is_inside(reference):
        path = posixpath.normpath(reference.replace("\\", "/"))
        path = "" if path == "." else path
    return Member(keyword, reference, path, field)
