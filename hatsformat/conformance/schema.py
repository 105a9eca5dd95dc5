"""The JSON Schema of the cases, made from the mutations.

``python -m hatsformat.conformance.schema`` updates its file.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin, get_type_hints

from hatsformat._spec import spec_path
from hatsformat.conformance.bases import BASES, base_title
from hatsformat.conformance.mutations import MUTATIONS
from hatsformat.validation.requirements import EDITIONS, LEVELS

SCHEMA_NAME = "case.schema.json"

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def build_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of cases."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hatsformat:schema:case",
        "title": "A file of conformance cases, tests/conformance/cases/*.yaml",
        "type": "object",
        "additionalProperties": False,
        "required": ["cases"],
        "properties": {"cases": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/case"}}},
        "$defs": {"case": _case(), "finding": _finding(), "base": _bases(), "mutation": _mutations()},
    }


def format_schema() -> str:
    """Return the content of the schema file."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n"


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _case() -> dict[str, Any]:
    identifier = _text("Unique, and never reused.", pattern="^[a-z]+(-[a-z0-9]+)*$")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "title", "base"],
        "properties": {
            "id": identifier,
            "title": _text("What is special about the catalog.", minLength=1),
            "base": {"$ref": "#/$defs/base"},
            "mutate": {
                "type": "array",
                "minItems": 1,
                "description": "The changes to the base, in order.",
                "items": {"$ref": "#/$defs/mutation"},
            },
            "expect": {
                "type": "array",
                "minItems": 1,
                "description": "The findings that a validator must report, and no others; missing if none.",
                "items": {"$ref": "#/$defs/finding"},
            },
            "level": {
                "enum": list(LEVELS),
                "description": "The level to validate with; rows by default.",
            },
            "edition": {
                "enum": list(EDITIONS),
                "description": "The edition of the note; the latest by default.",
            },
            "pending": _text("Why no check reports the findings yet.", minLength=1),
        },
    }


def _finding() -> dict[str, Any]:
    paths = {"type": "array", "minItems": 1, "items": {"type": "string"}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["rule"],
        "properties": {
            "rule": _text("The id of the rule.", pattern="^HATS-[A-Z]+-[0-9]{3}$"),
            "path": {
                "anyOf": [{"type": "string"}, paths],
                "description": "The file, a pattern with * or **, `leaves`, or a list of these; each match "
                "must have a finding. Missing if the finding is about the catalog as a whole.",
            },
            "column": _text("The column or keyword, if it matters."),
            "row_group": {"type": "integer", "minimum": 0, "description": "The row group, if it matters."},
            "severity": {
                "enum": ["error", "warning", "info"],
                "description": "The severity, if it differs from that of the rule.",
            },
        },
    }


def _bases() -> dict[str, Any]:
    return {"oneOf": [{"const": name, "description": base_title(name)} for name in BASES]}


def _mutations() -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: _arguments(MUTATIONS[name]) for name in sorted(MUTATIONS)},
    }


def _arguments(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(function) or "").split()),
        "additionalProperties": False,
        "required": [p.name for p in parameters if p.default is p.empty],
        "properties": {p.name: _type_schema(hints[p.name]) for p in parameters},
    }


def _type_schema(hint: Any) -> dict[str, Any]:
    """Return the schema of a type annotation."""
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list:
        return {"type": "array", "minItems": 1, "items": _type_schema(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type_schema(inner[1])}
    if origin in (Union, types.UnionType):
        options = [_type_schema(option) for option in inner]
        if all(set(option) == {"type"} for option in options):
            return {"type": [option["type"] for option in options]}
        return {"anyOf": options}
    raise TypeError(f"a case cannot hold values of type {hint}")


def main() -> None:
    """Write the schema file."""
    spec_path("schemas", SCHEMA_NAME).write_text(format_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
