"""How Sphinx makes the pages. The API reference is pydoctor's (setup.cfg)."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

HERE = Path(__file__).resolve().parent

_setup = ConfigParser()
_setup.read(HERE.parent / "setup.cfg", encoding="utf-8")

project = "CTIEX"
author = _setup["metadata"]["author"]
project_copyright = author
release = version = _setup["metadata"]["version"]

extensions: list[str] = []
exclude_patterns = ["_build", "examples/**"]
# The page about the wire links to them as they are, and so does a code host that shows it.
html_extra_path = ["layouts.json", "vectors.json", "ctiex.ksy"]
templates_path: list[str] = []
highlight_language = "text"
nitpicky = True

html_theme = "furo"
html_title = f"CTIEX {release}"
html_show_sourcelink = False
html_copy_source = False
