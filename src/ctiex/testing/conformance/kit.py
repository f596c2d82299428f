"""Plays the cases against a client, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, cast

from attrs import define, field
from twisted.internet.protocol import Factory

from ctiex.interfaces import ICodec
from ctiex.messages import Role
from ctiex.testing.conformance import (
    agent_changes,
    agent_requests,
    agents,
    both,
    headers,
    pauses,
    service_calls,
    service_reports,
    services,
)
from ctiex.testing.conformance.agent_play import AgentPlay
from ctiex.testing.conformance.play import Play
from ctiex.testing.conformance.played_link import PlayedLink
from ctiex.testing.conformance.service_play import ServicePlay
from ctiex.testing.conformance.verdicts import CaseOutcome, Failed, NotSeen, Rare, Verdict
from ctiex.testing.conformance.waits import Patience

_PLAYS: dict[Role, type[Play]] = {Role.AGENT: AgentPlay, Role.SERVICE: ServicePlay}
_OF_BOTH = (*both.CASES, *headers.CASES, *pauses.CASES)
_CASES: dict[Role, tuple[Rare[Any], ...]] = {
    Role.AGENT: (*_OF_BOTH, *agents.CASES, *agent_requests.CASES, *agent_changes.CASES, *pauses.REFUSALS),
    Role.SERVICE: (*_OF_BOTH, *services.CASES, *service_calls.CASES, *service_reports.CASES, *pauses.REFUSALS),
}


def cases_of(role: Role, codec: ICodec | None = None) -> Iterator[Rare[Any]]:
    """All cases for clients of this role, in order.

    :param codec: those for this one alone.
    """
    return (case for case in _CASES[role] if codec is None or codec.name in case.codecs)


class Client(Protocol):
    """The client under test, where the kit starts it."""

    def start(self, case: str) -> None:
        """Start it for a case."""

    async def stop(self) -> None:
        """End it."""


@define(eq=False)
class Kit:
    """The exchange that plays the cases; a port is to make its links by ``factory``."""

    clock: Any
    role: Role
    codec: ICodec
    patience: Patience = field(factory=Patience)
    client: Client | None = None
    """What starts the client for each case; None: it is there already, and comes back by itself."""
    factory: Factory = field(init=False)
    _play: Play = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._play = _PLAYS[self.role](self.clock, self.codec, self.patience)
        self.factory = cast(Factory, Factory.forProtocol(cast("type[PlayedLink]", self._play.new_link)))
        self.factory.noisy = False

    async def run(self, cases: Sequence[Rare[Any]], said: Callable[[Verdict], object]) -> list[Verdict]:
        """Play these cases.

        :param said: hears each verdict as soon as it is there.
        """
        verdicts = []
        for case in cases:
            verdict = await self._played(case)
            said(verdict)
            verdicts.append(verdict)
        return verdicts

    async def _played(self, case: Rare[Any]) -> Verdict:
        if self.client is not None:
            self._play.forget()
            self.client.start(case.name)
        try:
            await case.play(self._play)
            self._play.check()
        except Failed as failed:
            return Verdict(case.name, CaseOutcome.FAILED, case.should, str(failed))
        except NotSeen as not_seen:
            return Verdict(case.name, CaseOutcome.NOT_SEEN, case.should, str(not_seen))
        finally:
            self._play.end()
            if self.client is not None:
                await self.client.stop()
        return Verdict(case.name, CaseOutcome.OK, case.should)

    def close(self) -> None:
        """Leave every link that is still there."""
        self._play.close()
