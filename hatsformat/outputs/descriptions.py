"""Units and descriptions of columns in Parquet files."""

from __future__ import annotations

import pyarrow as pa

VOTABLE_KEY = b"IVOA.VOTable-Parquet.content"
"""The key in the metadata of a VOParquet file whose value is a VOTable that describes the columns."""


def column_descriptions(schema: pa.Schema) -> dict[str, dict[str, str]]:
    """Return the ``unit``, ``ucd`` and ``description`` of columns, by column name.

    They come from the VOTable of a VOParquet file and the metadata of columns, which takes precedence.
    """
    found = _from_votable((schema.metadata or {}).get(VOTABLE_KEY))
    for field in schema:
        about = found.setdefault(field.name, {})
        for key, value in (field.metadata or {}).items():
            name = key.decode("utf-8", "replace").lower()
            if name in ("unit", "ucd", "description"):
                about[name] = value.decode("utf-8", "replace")
    return found


def _from_votable(content: bytes | None) -> dict[str, dict[str, str]]:
    import xml.etree.ElementTree as ET

    # Units are optional, so ignore a VOTable that cannot be read or declares entities.
    if not content or b"<!ENTITY" in content:
        return {}
    try:
        root = ET.fromstring(content)
    except ET.ParseError:
        return {}
    found: dict[str, dict[str, str]] = {}
    for element in root.iter():
        if element.tag.rpartition("}")[2] != "FIELD" or "name" not in element.attrib:
            continue
        about = {key: element.attrib[key] for key in ("unit", "ucd") if element.attrib.get(key)}
        for child in element:
            if child.tag.rpartition("}")[2] == "DESCRIPTION" and child.text:
                about["description"] = " ".join(child.text.split())
        found[element.attrib["name"]] = about
    return found
