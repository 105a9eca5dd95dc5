"""Configuration of the documentation; built by ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hatsformat import __version__

project = "hatsformat"
author = "hatsformat developers"
copyright = "hatsformat developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = False

# A parameter's type such as "path" is a word and no reference to an attribute of that name.
suppress_warnings = ["ref.python"]

# Backticks in docstrings mean code; names of the package are found by autodoc's own pages.
default_role = "code"

html_theme = "furo"
html_title = f"hatsformat {release}"
