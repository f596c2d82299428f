"""The results as a JSON file: each part with its figures, and what they were measured on and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.compiling import CACHE

RESULTS = CACHE / "results.json"


@frozen
class Results:
    """What a file holds. A part that is measured again takes the place of its earlier figures."""

    parts: dict[str, dict[str, Any]]
    """By name: ``about`` and ``figures``."""

    @classmethod
    def read(cls, path: Path) -> Results:
        """What was measured so far; nothing where there is no file."""
        return cls(json.loads(path.read_text())["parts"] if path.exists() else {})

    def put(self, name: str, about: dict[str, Any], figures: dict[str, Any]) -> None:
        """Keep a part's figures."""
        self.parts[name] = {"about": about, "figures": figures}

    def write(self, path: Path) -> None:
        """Put all of it into the file, or leave the file as it was."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps({"format": 1, "parts": self.parts}, indent=1) + "\n")
        unfinished.rename(path)

    def find(self, part: str, *keys: str) -> Any:
        """A figure; None where it wasn't measured."""
        found: Any = self.parts.get(part, {}).get("figures")
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found
