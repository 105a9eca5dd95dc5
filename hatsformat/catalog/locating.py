"""Find catalogs by their properties files, and the tables that properties refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import LeafError, NotFoundError, StorageError
from hatsformat.properties import CollectionProperties, TableProperties

_FORBIDDEN = (401, 403, 410)

T = TypeVar("T")


def if_exists(read: Callable[[UPath], T], path: UPath) -> T | None:
    """Read a file; return None if it does not exist.

    Buckets that do not allow listing answer "forbidden" for missing files, so remote files with that answer
    count as missing.
    """
    try:
        return read(path)
    except NotFoundError:
        return None
    except (StorageError, LeafError) as error:
        if _is_refusal(error) and not storage.is_local(path):
            return None
        raise


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, PermissionError) or getattr(error, "status", None) in _FORBIDDEN:
            return True
        error = error.__cause__
    return False


def catalog_properties(root: UPath) -> TableProperties | None:
    """Return the properties of the catalog at `root`, or None if there is none."""
    for name in layout.CATALOG_PROPERTIES:
        content = if_exists(storage.read_bytes, root / name)
        if content is not None:
            return TableProperties.parse(content, path=root / name)
    return None


def collection_properties(root: UPath) -> CollectionProperties | None:
    """Return the properties of the collection at `root`, or None if there is none."""
    path = root / layout.COLLECTION_PROPERTIES
    content = if_exists(storage.read_bytes, path)
    return None if content is None else CollectionProperties.parse(content, path=path)


def not_found(root: UPath, names: Iterable[str], what: str) -> NotFoundError:
    """Return the error for a path without any of the expected files."""
    hint = "check the path" if storage.is_local(root) and not root.exists() else None
    return NotFoundError(f"no HATS {what} here", path=root, expected=" or ".join(names), hint=hint)


def join(base: UPath, reference: str) -> UPath:
    """Return the path that a reference names: relative to `base`, absolute, or a URL."""
    if "://" in reference or reference.startswith("/"):
        return storage.resolve(reference, **base.storage_options)
    path = base
    for step in reference.split("/"):
        if step == "..":
            path = path.parent
        elif step not in ("", "."):
            path = path / step
    return path


def find_table(reference: str, bases: Iterable[UPath]) -> tuple[UPath, TableProperties]:
    """Find a table that a properties file refers to, and return its root and properties.

    Parameters
    ----------
    reference : str
        A name, a relative path (``../stars``), an absolute path or a URL; the Note leaves its base open.
    bases : iterable of UPath
        Directories that it may be relative to, the most likely first.

    Raises
    ------
    NotFoundError
        If there is no table at any of these paths.
    """
    tried = list(dict.fromkeys(join(base, reference) for base in bases))
    for root in tried:
        properties = catalog_properties(root)
        if properties is not None:
            return root, properties
    raise NotFoundError(
        f"the table {reference!r} is missing",
        expected=f"{' or '.join(layout.CATALOG_PROPERTIES)} in {' or '.join(map(str, tried))}",
    )
