"""The path of ``spec/``: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def spec_path(*parts: str) -> Path:
    """Return the path of a file or folder of the specification.

    Parameters
    ----------
    *parts : str
        Path below ``spec/``, such as ``"schemas", "report.schema.json"``.

    Returns
    -------
    Path
        It may not exist.

    Examples
    --------
    >>> spec_path("schemas").is_dir()
    True
    """
    inside = _PACKAGE / "spec"
    root = inside if inside.is_dir() else _PACKAGE.parent / "spec"
    return root.joinpath(*parts)
