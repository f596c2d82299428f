"""What a case asks of a client, and what is said of it afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from enum import StrEnum
from typing import Generic, TypeVar

from attrs import frozen

Scene = TypeVar("Scene")


@frozen
class Rare(Generic[Scene]):
    """One thing that is rare on a link, and that every client has to survive."""

    name: str
    should: str
    """What the client should do: a sentence without its subject."""
    play: Callable[[Scene], Awaitable[None]]
    """Plays it; raises Failed or NotSeen."""
    codecs: Collection[str] = ("binary", "json")


class Failed(Exception):
    """The client did something else; the text says what: a sentence without its subject."""


class NotSeen(Exception):
    """The client never came to where the case begins; the text says what didn't come."""


class CaseOutcome(StrEnum):
    """How a case ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_SEEN = "not seen"


_WIDTH = max(map(len, CaseOutcome))


@frozen
class Verdict:
    """What is said of one case."""

    name: str
    outcome: CaseOutcome
    should: str
    instead: str = ""
    """What the client did, or what didn't come."""

    @property
    def line(self) -> str:
        """For people."""
        said = f"{self.outcome:{_WIDTH}}  {self.name}: should {self.should}"
        return f"{said}; instead: {self.instead}" if self.instead else said


def summary(verdicts: Collection[Verdict]) -> str:
    """All of them in one line."""
    counts = [(sum(verdict.outcome is outcome for verdict in verdicts), outcome) for outcome in CaseOutcome]
    return f"{len(verdicts)} cases: " + ", ".join(f"{count} {outcome}" for count, outcome in counts)
