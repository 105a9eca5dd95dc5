"""Units and descriptions of columns, as Parquet files carry them."""

from __future__ import annotations

import pyarrow as pa

VOTABLE_KEY = b"IVOA.VOTable-Parquet.content"
"""The key-value of a VOParquet file that holds a VOTable with the columns' units and descriptions."""


def column_descriptions(schema: pa.Schema) -> dict[str, dict[str, str]]:
    """Return what a schema says about its columns: ``unit``, ``ucd`` and ``description`` by column name.

    Found in the VOTable of a VOParquet file and in the metadata of single columns, which take precedence.
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

    # Units are a courtesy: a VOTable that cannot be read, or declares entities, is passed over.
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
