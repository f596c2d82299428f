"""What an automatic service is, and how serving one customer ends [0051, 0052]."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from attrs import frozen

from ctiex.errors import CallerHungUp
from ctiex.fields import EMPTY, Fields, Value
from ctiex.interfaces import IMedia
from ctiex.messages import Condition

Report = Callable[[Fields], Awaitable[None]]
"""Takes how far the service has come to the agent, while it goes on."""


@frozen
class Outcome:
    """How it went, and the result for the agent."""

    condition: Condition
    fields: Fields = EMPTY


class Service(Protocol):
    """Serves one customer after the other; one object may serve many at a time."""

    name: str
    """What the configuration calls it."""

    async def serve(self, fields: Fields, media: IMedia, report: Report | None = None) -> Outcome:
        """Serve the customer at the other end of ``media``.

        :param fields: the channel associated data from the agent, organized for this service.
        :param report: called with progress; None if it isn't reported.
        """


def result(**values: Value) -> Fields:
    """Fields for the agent, by name."""
    return Fields(values)


def failed(reason: str) -> Outcome:
    """The service couldn't begin; ``reason`` tells the agent why, in words."""
    return Outcome(Condition.FAILED, result(reason=reason))


async def served(serving: Awaitable[None], so_far: Callable[[], Fields]) -> Outcome:
    """Serve a customer to the end, or until they hang up.

    :param so_far: gives the result that has come out by then.
    """
    try:
        await serving
    except CallerHungUp:
        return Outcome(Condition.ABANDONED, so_far())
    return Outcome(Condition.COMPLETED, so_far())
