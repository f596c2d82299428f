"""What is configured of a durable store; read also where what the store needs isn't installed."""

from __future__ import annotations

from typing import Annotated

from attrs import field, frozen

from ctiex.settings import Check, FileName

PROGRESS = "-progress"
BESIDE = ("-wal", "-shm", ".lock", PROGRESS)
"""The ends of the names of what stands beside the file."""
LOCK_WAIT = 10.0
Wait = Annotated[
    float,
    Check("seconds, from 0 to 3600", lambda value: type(value) in (int, float) and 0 <= value <= 3600, convert=float),
]


@frozen(kw_only=True)
class SqliteSettings:
    """``[store]`` with ``kind = "sqlite"``."""

    path: FileName = "calls.sqlite"
    key_file: FileName = field()
    lock_wait: Wait = LOCK_WAIT
    """How long to wait for another process to release the file, in seconds."""

    @key_file.default
    def _beside_the_file(self) -> str:
        return f"{self.path}.key"
