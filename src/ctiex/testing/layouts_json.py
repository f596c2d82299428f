"""The wire format for programs: ``python -m ctiex.testing.layouts_json docs/layouts.json`` writes the file again.

It has every message with its attributes, their types, limits, defaults in JSON and meanings, and the tables of
statuses, conditions, features and roles. Limits that JavaScript would round are strings.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ctiex.testing.wire.description import description


def text() -> str:
    """The file's text."""
    return json.dumps(description(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
