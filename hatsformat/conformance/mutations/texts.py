"""Mutations of text files: properties and CSV."""

from __future__ import annotations

from hatsformat.conformance.artefacts import properties_files, with_keywords
from hatsformat.conformance.mutations.registry import Mutated, Paths, Value, expand, mutation
from hatsformat.conformance.tree import Tree, content
from hatsformat.errors import UsageError
from hatsformat.properties import PropertiesDocument, format_properties_text, parse_properties_text
from hatsformat.properties.document import Entry


def _files(tree: Tree, path: Paths) -> list[str]:
    return expand(tree, path) if path else properties_files(tree)


@mutation
def set_keywords(tree: Tree, *, values: dict[str, Value], path: Paths = "") -> Mutated:
    """Set or add keywords; by default in every properties file at the root."""
    changes: dict[str, str | None] = {name: str(value) for name, value in values.items()}
    return {**tree, **with_keywords(tree, _files(tree, path), changes)}


@mutation
def remove_keywords(tree: Tree, *, names: list[str], path: Paths = "") -> Mutated:
    """Remove keywords; by default from every properties file at the root."""
    return {**tree, **with_keywords(tree, _files(tree, path), dict.fromkeys(names))}


@mutation
def rename_keyword(tree: Tree, *, name: str, to: str, path: Paths = "") -> Mutated:
    """Rename a keyword; by default in every properties file at the root."""
    changed = {}
    for file in _files(tree, path):
        document, _ = parse_properties_text(content(tree, file))
        lines = [
            Entry(to, line.value) if isinstance(line, Entry) and line.keyword == name else line
            for line in document.lines
        ]
        changed[file] = format_properties_text(PropertiesDocument(tuple(lines))).encode()
    return {**tree, **changed}


@mutation
def append(tree: Tree, *, text: str, path: Paths = "") -> Mutated:
    """Append text to files; by default to every properties file at the root."""
    return {**tree, **{name: content(tree, name) + text.encode() for name in _files(tree, path)}}


@mutation
def replace(tree: Tree, *, old: str, new: str, path: Paths = "") -> Mutated:
    """Replace all occurrences of a text in files; by default in every properties file at the root."""
    changed = {}
    for name in _files(tree, path):
        data = content(tree, name)
        if old.encode() not in data:
            raise UsageError("the text is missing in the file", path=name, found=old)
        changed[name] = data.replace(old.encode(), new.encode())
    return {**tree, **changed}


@mutation
def recode(tree: Tree, *, encoding: str, path: Paths = "") -> Mutated:
    """Encode text files in another encoding than UTF-8; by default every properties file at the root."""
    changed = {name: content(tree, name).decode().encode(encoding) for name in _files(tree, path)}
    return {**tree, **changed}


@mutation
def add_csv_column(tree: Tree, *, path: str, name: str, value: Value) -> Mutated:
    """Add a column to a CSV file; the value ``dir`` means the correct ``Dir`` of each pixel."""
    lines = content(tree, path).decode().splitlines()
    pixel = lines[0].split(",").index("Npix")
    values = [
        str(int(line.split(",")[pixel]) // 10_000 * 10_000) if value == "dir" else str(value)
        for line in lines[1:]
    ]
    rows = [f"{line},{cell}\n" for line, cell in zip(lines, [name, *values], strict=True)]
    return {**tree, path: "".join(rows).encode()}
