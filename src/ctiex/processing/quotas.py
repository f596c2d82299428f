"""What the calls of an identity, an agent number and a service take up, held against the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized

from ctiex.errors import Status
from ctiex.limits import Limits
from ctiex.processing.account import ByteAccount, size_of_event
from ctiex.processing.presence import AgentPresence
from ctiex.records import Call, StoredEvent
from ctiex.settings.checks import LEAST_END
from ctiex.stores.index import CallIndex


class Refused(Exception):
    """A request is refused; carries the status and the words for its reply."""

    def __init__(self, status: Status, detail: str = "") -> None:
        self.status = status
        self.detail = detail or status.text
        super().__init__(self.detail)


class CallQuotas:
    """Counts calls that aren't closed and records that aren't forgotten; each open call holds room for its end."""

    def __init__(self, limits: Limits, store: CallIndex, account: ByteAccount, presence: AgentPresence) -> None:
        self._limits = limits
        self._store = store
        self._account = account
        self._presence = presence
        self._of_agent: Counter[str] = Counter()
        """Open calls, and the room in a mailbox that is reserved for their ends."""
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
        self._of_agent[call.agent] += 1
        self._presence.put(call.agent, call.identity)
        self._presence.use(call.agent)
        self._account.keep_for_end(call.agent)

    def closed(self, call: Call) -> None:
        """It isn't any more."""
        self._of_identity[call.identity] -= 1
        self._of_service[call.service] -= 1
        self._of_agent[call.agent] -= 1
        if not self._of_agent[call.agent]:
            del self._of_agent[call.agent]
        self._account.keep_for_end(call.agent, -1)
        self._presence.release(call.agent)

    def has_room(self, agent: str, size: int = LEAST_END) -> bool:
        """Whether the mailbox takes one more event beside those reserved for ends of calls.

        :param size: what it takes, in bytes; as much as any that the exchange tells by itself unless given.
        """
        ends = self._of_agent[agent]
        return self._store.pending(agent) + ends < self._limits.mailbox and self._account.takes_event(agent, ends, size)

    def has_room_for_one_more_end(self, agent: str) -> bool:
        """Whether the mailbox takes the end of one more call; what else that takes is for :meth:`check`."""
        ends = self._of_agent[agent]
        return self._store.pending(agent) + ends < self._limits.mailbox and self._account.mailbox_takes(
            agent, ends, self._limits.end_bytes
        )

    def has_room_for_end(self, agent: str, event: StoredEvent) -> bool:
        """Whether the room that is kept for the end of a call is enough for this event, or there is more."""
        beyond = size_of_event(event) - self._limits.end_bytes
        return beyond <= 0 or self._account.takes_event(agent, self._of_agent[agent], beyond)

    def check(self, call: Call) -> None:
        """See whether there may be one more such call.

        :raise Refused: 14; its words name the limit.
        """
        for limit, held, whose in (
            ("calls_per_agent", self._of_agent[call.agent], "open calls of this agent number"),
            ("calls_per_service", self._of_service[call.service], "open calls of this service"),
            ("calls_per_identity", self._of_identity[call.identity], "open calls of this identity"),
            ("records_per_identity", self._records[call.identity], "calls of this identity, ended ones included"),
        ):
            if held >= getattr(self._limits, limit):
                raise Refused(Status.TOO_BUSY, f"{held} {whose}: {limit} allows no more")
        self._check_bytes(self._account.over(call))

    def check_growth(self, call: Call, updated: Call) -> None:
        """See whether there is room for what a call has now beyond what it had.

        :raise Refused: 14; its words name the limit.
        """
        self._check_bytes(self._account.over_by_growth(call, updated))

    def _check_bytes(self, over: str) -> None:
        if over:
            raise Refused(Status.TOO_BUSY, over)


def check_fields(fields: Sized, limits: Limits) -> None:
    """See whether a message may have so many fields.

    :raise Refused: 36; its words name the limit.
    """
    if len(fields) > limits.fields_per_message:
        raise Refused(
            Status.MORE_THAN_ALLOWED, f"{len(fields)} fields: fields_per_message allows {limits.fields_per_message}"
        )
