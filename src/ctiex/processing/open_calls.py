"""The open hand-offs of each agent number, which its application may ask for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from ctiex.errors import Status
from ctiex.messages import CallQuery, CallQueryReply, OpenCall, OpenCallState
from ctiex.processing.context import ProcessingContext
from ctiex.records import Call, CallState

_STATES = {
    CallState.REQUESTED: OpenCallState.REQUESTED,
    CallState.CONNECTING: OpenCallState.CONNECTING,
    CallState.CONNECTED: OpenCallState.CONNECTED,
    CallState.FETCHED: OpenCallState.FETCHED,
    CallState.REPORTED: OpenCallState.REPORTED,
}


class OpenCalls:
    """Finds the calls of an agent number that aren't closed, the oldest first."""

    def __init__(self, context: ProcessingContext) -> None:
        self._context = context
        self._of_agent: dict[str, dict[str, None]] = {}
        """By agent number: its calls whose close isn't kept."""

    def __len__(self) -> int:
        return sum(map(len, self._of_agent.values()))

    @property
    def agents(self) -> int:
        """How many agent numbers have any."""
        return len(self._of_agent)

    def start(self) -> None:
        """Take up those of an opened store."""
        for call in self._context.store.calls():
            if call.state is not CallState.CLOSED:
                self.add(call)

    def add(self, call: Call) -> None:
        """There is a new call, which isn't committed yet."""
        self._of_agent.setdefault(call.agent, {})[call.serial] = None

    def remove(self, call: Call) -> None:
        """Its close is kept, or it never was."""
        calls = self._of_agent[call.agent]
        del calls[call.serial]
        if not calls:
            del self._of_agent[call.agent]

    def of(self, agent: str) -> list[Call]:
        """The open calls of an agent number, the oldest first, by what is kept of them: also behind a restart."""
        found = map(self._context.store.get, self._of_agent.get(agent, ()))
        calls = [call for call in found if call is not None and call.state is not CallState.CLOSED]
        return sorted(calls, key=lambda call: call.begun)

    def query(self, query: CallQuery, reply: Callable[[CallQueryReply], None]) -> None:
        """Answer with those of an agent number, once what they have come to is kept."""
        calls = tuple(
            OpenCall(call.serial, call.service, call.reference, _STATES[call.state], call.since)
            for call in self.of(query.agent)
        )
        self._context.commits.settled(
            lambda: reply(self._told(calls)), lambda: reply(CallQueryReply(Status.STORE_UNAVAILABLE))
        )

    def _told(self, calls: tuple[OpenCall, ...]) -> CallQueryReply:
        """All of them, or as many as fit."""
        whole = CallQueryReply(Status.OK, calls)
        if self._context.fits_agent_link(whole):
            return whole
        count = bisect_left(range(1, len(calls)), True, key=lambda count: not self._fit(calls[:count]))
        return CallQueryReply(Status.DATA_TOO_LARGE, calls[:count])

    def _fit(self, calls: tuple[OpenCall, ...]) -> bool:
        return self._context.fits_agent_link(CallQueryReply(Status.DATA_TOO_LARGE, calls))
