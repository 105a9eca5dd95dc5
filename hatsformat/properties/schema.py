"""The JSON Schemas of the properties files, generated from the keyword table.

A schema describes the keywords and texts of a file (with escapes decoded) as a JSON object; every value is a
string. It finds missing keywords and invalid values (``missing-keyword`` and ``bad-value`` of the
``validate_*`` functions), but not problems that need arithmetic or two keywords (``out-of-range``,
``inconsistent``), problems of the text itself, or warnings.

``python -m hatsformat.properties.schema [DIRECTORY]`` writes them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from hatsformat._spec import spec_path
from hatsformat.properties.keyword import Keyword
from hatsformat.properties.keywords import COLLECTION_FILE, EXTENSION_FILE, TABLE_FILE, FileKind

FILE_KINDS = (TABLE_FILE, COLLECTION_FILE, EXTENSION_FILE)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PRESENT = "[^ \\t\\n\\r\\f]"
_PRESENT_IN_LIST = "[^ \\t\\n\\r\\f,;]"


def build_schema(file_kind: FileKind) -> dict[str, Any]:
    """Return the JSON Schema of a kind of properties file.

    Parameters
    ----------
    file_kind : FileKind
        `TABLE_FILE`, `COLLECTION_FILE` or `EXTENSION_FILE`.

    Returns
    -------
    dict
        A schema of draft 2020-12.
    """
    properties: dict[str, Any] = {}
    for keyword in file_kind.keywords.values():
        properties[keyword.name] = _describe(keyword)
        for alias in keyword.aliases:
            described = _describe(keyword)
            described["description"] = f"Another name of {keyword.name}, to be read and not written"
            properties[alias] = {**described, "deprecated": True}
    keywords = file_kind.keywords.values()
    always = [k for k in keywords if all(name in k.required for name in file_kind.types)]
    rules = [_present(keyword) for keyword in always]
    for table_type in file_kind.types:
        own = [_present(k) for k in keywords if table_type in k.required and k not in always]
        if own:
            rules.append({"if": _of_type(table_type), "then": {"allOf": own}})
    return {
        "$schema": _DIALECT,
        "$id": f"urn:hatsformat:schema:properties:{file_kind.name}",
        "title": f"{file_kind.title}: properties",
        "description": "The keywords of the file and their texts, without escapes",
        "type": "object",
        "properties": properties,
        "additionalProperties": {"type": "string"},
        "allOf": rules,
    }


def format_schema(file_kind: FileKind) -> str:
    """Return the text of a schema file in ``spec/schemas``."""
    return json.dumps(build_schema(file_kind), indent=2, ensure_ascii=False) + "\n"


def schema_name(file_kind: FileKind) -> str:
    """Return the name of the schema's file."""
    return f"{file_kind.name}.schema.json"


def _describe(keyword: Keyword) -> dict[str, Any]:
    description = keyword.description
    if keyword.unit:
        description += f", in {keyword.unit}"
    described: dict[str, Any] = {"type": "string", "description": f"{description}: {keyword.expected}"}
    pattern = keyword.value_type.anchored()
    if keyword.vital and keyword.choices:
        pattern = _one_of(*keyword.choices, optional=True)
    if pattern is not None:
        described["pattern"] = pattern
    described["$comment"] = f"Edition: {keyword.edition}"
    return described


def _present(keyword: Keyword) -> dict[str, Any]:
    pattern = _PRESENT_IN_LIST if keyword.value_type.is_list else _PRESENT
    ways = [
        {"required": [name], "properties": {name: {"pattern": pattern}}}
        for name in (keyword.name, *keyword.aliases)
    ]
    return ways[0] if len(ways) == 1 else {"anyOf": ways}


def _of_type(table_type: str) -> dict[str, Any]:
    pattern = _one_of(table_type)
    return {"required": ["dataproduct_type"], "properties": {"dataproduct_type": {"pattern": pattern}}}


def _one_of(*words: str, optional: bool = False) -> str:
    choice = "|".join(map(re.escape, words))
    blank = "[ \\t\\n\\r\\f]*"
    return f"^{blank}(?:(?:{choice}){blank}){'?' if optional else ''}$"


def main(directory: Path | None = None) -> list[Path]:
    """Write the schemas.

    Parameters
    ----------
    directory : Path, optional
        The output directory; ``spec/schemas`` by default.

    Returns
    -------
    list of Path
        The files written.
    """
    directory = spec_path("schemas") if directory is None else directory
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for file_kind in FILE_KINDS:
        path = directory / schema_name(file_kind)
        path.write_text(format_schema(file_kind), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
