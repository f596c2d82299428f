"""Reading an audit log back: a stream of records, whatever else stands in the file."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from attrs import define, field, frozen

_LONGEST_LINE = 65_536
"""A longer line isn't part of an audit log, in bytes."""


@frozen
class Record:
    """One record of the file."""

    moment: float
    """When, in seconds since the epoch."""
    event: str
    values: dict[str, Any]
    line: str
    """As it stands in the file, without its end of line."""

    @classmethod
    def of(cls, line: bytes) -> Record | None:
        """The record of a line; None where it holds none."""
        try:
            text = line.decode()  # json takes more than UTF-8
            values = json.loads(line)
            moment = datetime.fromisoformat(values["time"]).timestamp()
            event = values["event"]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        return cls(moment, event, values, text.rstrip()) if isinstance(event, str) else None

    def text(self, key: str) -> str:
        """A value in words; empty without one."""
        return str(self.values.get(key, ""))

    @property
    def refusal(self) -> bool:
        """Whether somebody was refused something."""
        return self.event.endswith("refused")


@define
class Reading:
    """A file that can be read several times, a line at a time."""

    file: BinaryIO
    begins: float = inf
    """The time of its first record, once it has been read."""
    torn: int = field(default=0, init=False)
    """Lines that are no records."""

    def records(self, first_time: bool = False) -> Iterator[Record]:
        """The records from the beginning on.

        :param first_time: count lines that aren't records.
        :raise OSError: it can't be read; EOFError or zlib.error, where it is compressed.
        """
        self.file.seek(0)
        for line in iter(lambda: self.file.readline(_LONGEST_LINE), b""):
            if line.isspace():
                continue
            record = Record.of(line)
            if record is not None:
                self.begins = min(self.begins, record.moment)
                yield record
            elif first_time:
                self.torn += 1


@contextmanager
def opened(name: str, stdin: BinaryIO) -> Iterator[BinaryIO]:
    """A file of an audit log, which may be compressed; ``-`` is put by, since it can be read only once.

    :raise OSError: it can't be opened.
    """
    if name == "-":
        with TemporaryFile() as kept:
            shutil.copyfileobj(stdin, kept)
            yield cast(BinaryIO, kept)
    elif name.endswith(".gz"):
        with gzip.open(name) as unpacked:
            yield cast(BinaryIO, unpacked)
    else:
        with Path(name).open("rb") as file:
            yield file
