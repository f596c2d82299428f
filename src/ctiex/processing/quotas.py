"""What the calls of an identity, an agent number and a service take up, held against the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized

from ctiex.errors import Status
from ctiex.limits import Limits
from ctiex.processing.context import Refused
from ctiex.processing.desk import Desk
from ctiex.records import Call


class CallQuotas:
    """Counters calls that aren't closed and records that aren't forgotten.

    The calls of an agent number are counted by the desk already: each holds room for its end.
    """

    def __init__(self, limits: Limits, desk: Desk) -> None:
        self._limits = limits
        self._desk = desk
        self._of_identity: Counter[str] = Counter()
        self._of_service: Counter[str] = Counter()
        self._records: Counter[str] = Counter()

    @property
    def calls_open(self) -> int:
        """How many calls aren't closed."""
        return self._of_identity.total()

    def recorded(self, call: Call) -> None:
        """A call has a record from now on."""
        self._records[call.identity] += 1

    def forgotten(self, call: Call) -> None:
        """The record is gone."""
        self._records[call.identity] -= 1

    def opened(self, call: Call) -> None:
        """A call is open, and holds room for its end."""
        self._of_identity[call.identity] += 1
        self._of_service[call.service] += 1
        self._desk.reserve(call.agent, call.identity)

    def closed(self, call: Call) -> None:
        """It isn't any more."""
        self._of_identity[call.identity] -= 1
        self._of_service[call.service] -= 1
        self._desk.release(call.agent)

    def check(self, call: Call) -> None:
        """See whether there may be one more such call.

        :raise Refused: 14; its words name the limit.
        """
        for limit, held, whose in (
            ("calls_per_agent", self._desk.open_calls(call.agent), "open calls of this agent number"),
            ("calls_per_service", self._of_service[call.service], "open calls of this service"),
            ("calls_per_identity", self._of_identity[call.identity], "open calls of this identity"),
            ("records_per_identity", self._records[call.identity], "calls of this identity, ended ones included"),
        ):
            if held >= getattr(self._limits, limit):
                raise Refused(Status.TOO_BUSY, f"{held} {whose}: {limit} allows no more")
        over = self._desk.account.over(call)
        if over:
            raise Refused(Status.TOO_BUSY, over)


def check_fields(fields: Sized, limits: Limits) -> None:
    """See whether a message may have so many fields.

    :raise Refused: 14; its words name the limit.
    """
    if len(fields) > limits.fields_per_message:
        raise Refused(Status.TOO_BUSY, f"{len(fields)} fields: fields_per_message allows {limits.fields_per_message}")
