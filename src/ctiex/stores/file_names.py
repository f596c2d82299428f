"""What the files of a durable store are called; asked also where what the store needs isn't installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BESIDE = ("-wal", "-shm", ".lock")
"""The ends of the names of what stands beside the file."""


def files_of(settings: Mapping[str, Any]) -> dict[str, Path]:
    """The files of ``[store]``, by key.

    :raise TypeError: one is no text.
    """
    path = Path(settings.get("path", "calls.sqlite"))
    return {"path": path, "key_file": Path(settings.get("key_file", f"{path}.key"))}
