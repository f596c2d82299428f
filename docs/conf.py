"""How Sphinx makes the pages. The API reference is pydoctor's (setup.cfg)."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

_setup = ConfigParser()
_setup.read(HERE.parent / "setup.cfg", encoding="utf-8")

project = "CTIEX"
author = _setup["metadata"]["author"]
project_copyright = author
release = version = _setup["metadata"]["version"]

extensions = ["wire_format"]
exclude_patterns = ["_build", "examples/**"]
templates_path: list[str] = []
highlight_language = "text"
nitpicky = True

html_theme = "furo"
html_title = f"CTIEX {release}"
html_show_sourcelink = False
html_copy_source = False
