"""Find the files of an input: a file, a folder, a pattern, a URL, or a text file that lists them."""

from __future__ import annotations

from typing import Any

from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import HatsError, InputError
from hatsformat.inputs.base import COMPRESSIONS
from hatsformat.properties.text import parse_properties_text

FORMATS = ("csv", "parquet", "arrow", "fits", "votable", "ecsv")
"""The formats that can be imported."""

LIST_PREFIX = "@"
"""The prefix of an input that is a list of inputs."""

LIST_BYTES = 64 * 1024 * 1024

_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".txt": "csv", ".dat": "csv",
    ".parquet": "parquet", ".parq": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".fits": "fits", ".fit": "fits", ".fts": "fits",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".ecsv": "ecsv",
}  # fmt: skip


def find_files(path: Any, kind: str | None, **storage_options: Any) -> list[UPath]:
    """Return the files of an input.

    Parameters
    ----------
    path : path
        A file, a folder, a pattern with ``*``, ``?``, ``[…]`` and ``**``, or ``@`` and a text file that lists
        such inputs, one per line.
    kind : str or None
        One of `FORMATS`: take only files of this format from folders.
    **storage_options
        Options of the path's file system.

    Raises
    ------
    InputError
        If no files are found.
    NotFoundError
        If the list is missing.
    """
    resolved = storage.resolve(path, **storage_options)
    text = str(path)
    if text.startswith(LIST_PREFIX) and not storage.exists(resolved):
        return _read_list(storage.resolve(text.removeprefix(LIST_PREFIX), **storage_options), kind)
    return _expand(resolved, text, kind)


def format_of(path: str) -> str | None:
    """Return the format of a file by its name, or None if the suffix is unknown."""
    name = path.lower().split("?", 1)[0]
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    dot = name.rfind(".")
    return _SUFFIXES.get(name[dot:]) if dot >= 0 else None


def _expand(path: UPath, text: str, kind: str | None) -> list[UPath]:
    if any(character in text for character in "*?[") and not storage.exists(path):
        found = storage.glob(path)
        if not found:
            raise InputError("no file matches the pattern", path=text)
        return found
    if not storage.is_directory(path):
        return [path]
    entries = storage.list_tree(path)
    properties = [entry.path for entry in entries if entry.path in layout.CATALOG_PROPERTIES]
    if properties:
        names = _leaf_paths(path / properties[0], [entry.path for entry in entries])
    else:
        names = [entry.path for entry in entries if _is_input(entry.path, kind)]
        _check_folders(path, names)
    if not names:
        raise InputError("no files to import in the folder", path=text, expected=kind or ", ".join(FORMATS))
    return [path / name for name in names]


def _check_folders(path: UPath, names: list[str]) -> None:
    """Refuse folders such as ``band=g``, whose names hold a column that the files may lack."""
    folders = {folder for name in names for folder in name.split("/")[:-1] if "=" in folder}
    unknown = sorted(folder for folder in folders if folder.partition("=")[0] not in layout.HIVE_COLUMNS)
    if unknown:
        column = unknown[0].partition("=")[0]
        raise InputError(
            f"the column {column!r} in the folder names would be lost",
            path=path,
            found=", ".join(unknown[:5]),
            hint=f"write it into the files, or import them without it as {path}/**/*",
        )


def _leaf_paths(properties: UPath, paths: list[str]) -> list[str]:
    """Return the leaves of a catalog, by the suffix in its properties; other files may repeat their rows."""
    document, _ = parse_properties_text(storage.read_bytes(properties))
    keywords = document.to_dict()
    suffix = keywords.get("hats_npix_suffix") or keywords.get("npix_suffix") or None
    leaves = ((path, layout.parse_leaf_path(path)) for path in paths)
    return [path for path, leaf in leaves if leaf is not None and suffix in (None, leaf.suffix)]


def _is_input(path: str, wanted: str | None) -> bool:
    hidden = path.rsplit("/", 1)[-1].startswith((".", "_"))
    kind = format_of(path)
    return not hidden and kind is not None and wanted in (None, kind)


def _read_list(path: UPath, kind: str | None) -> list[UPath]:
    """Return the files that a text file lists; relative paths are relative to the text file."""
    try:
        text = storage.read_bytes(path, limit=LIST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the list of inputs is not UTF-8 text", path=path) from error
    files: list[UPath] = []
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        try:
            files += _expand_entry(path, name, kind)
        except HatsError as error:
            error.message += f", listed on line {number} of {path}"
            raise
    if not files:
        raise InputError("the list is empty", path=path, expected="a path or URL on each line")
    return files


def _expand_entry(list_file: UPath, name: str, kind: str | None) -> list[UPath]:
    file = storage.resolve(name) if "://" in name else list_file.parent / name
    files = _expand(file, str(file), kind)
    if files == [file] and not storage.exists(file):
        raise InputError("no such file", path=file)
    return files
