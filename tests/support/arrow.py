"""What the installed version of Arrow can do."""

from __future__ import annotations

import pyarrow as pa

VERSION = int(pa.__version__.partition(".")[0])

MISSING_FIXED_LISTS = VERSION >= 26
"""Older versions cannot read back a missing list of a fixed size, and some cannot write it."""

SIZE_OF_LIST_VIEWS = VERSION >= 24
