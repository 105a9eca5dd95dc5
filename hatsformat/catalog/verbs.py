"""What can be done to a catalog by layers below this one: a table of names, looked up when they are called.

A catalog knows nothing of how catalogs are made, and yet one expects ``catalog.append(rows)``. Such a
method calls `verb`, and nothing below is imported before.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "append": "hatsformat.updates.appending:append",
        "rebuild": "hatsformat.updates.rebuilding:rebuild",
    }
)
"""Where each verb is: ``module:function``. The first argument is the catalog's `UPath`."""


def verb(name: str) -> Callable[..., Any]:
    """Return the function that carries out a verb of `VERBS`."""
    found: Callable[..., Any] = pkgutil.resolve_name(VERBS[name])
    return found
