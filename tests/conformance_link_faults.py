"""Clients under test with one fault each in how they come back, or in what they make of a link and its limits."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from ctiex.clients import AgentClient, AutomaticService
from ctiex.clients.link import ClientLink
from ctiex.errors import BrokenExchange, Status
from ctiex.interfaces import Frame
from ctiex.messages import DEFAULT_MAX_FRAME, BindReply

from .conformance_clients import AgentUnderTest, ServiceUnderTest


class _Opening(AgentClient):
    """Changes its links as soon as they are open."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        usual = self._connection.opened

        def opened(link: ClientLink) -> None:
            self.change(link)
            usual(link)

        self._connection.opened = opened  # type: ignore[method-assign]

    def change(self, link: ClientLink) -> None:
        """Plant the fault."""


class ComesBackAtOnce(AgentUnderTest):
    """Connects again as soon as its link is gone, whatever became of it."""

    class make_client(AgentClient):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._connection.pause_after = lambda attempts: 0.0


class ServiceThatComesBackAtOnce(ServiceUnderTest):
    """Likewise."""

    class make_service(AutomaticService):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._connection.pause_after = lambda attempts: 0.0


class LeavesNothingToChance(AgentUnderTest):
    """All of its kind come back at the same moment."""

    class make_client(AgentClient):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._connection.pause_after = lambda attempts: 2.0


class ClosesWithoutError(AgentUnderTest):
    """Ends the link at a header that can't be used, and says nothing of it."""

    class make_client(_Opening):  # noqa: N801
        def change(self, link: ClientLink) -> None:
            usual = link.session._refuse

            def refuse(invoke_id: int, status: int, about: int, detail: str, name: str = "") -> None:
                if about:
                    usual(invoke_id, status, about, detail, name)

            link.session._refuse = refuse  # type: ignore[method-assign]


class KeepsTheLinkOpen(AgentUnderTest):
    """Says Error at such a header, and stays on a link on which nothing can be read any more."""

    class make_client(_Opening):  # noqa: N801
        def change(self, link: ClientLink) -> None:
            usual = link.session.end
            link.session.end = lambda reason: None if "version" in reason else usual(reason)  # type: ignore[method-assign]


class HasItsOwnLimit(AgentUnderTest):
    """Takes frames of 65,536 bytes, whatever the BindReply says."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            link.session._decoder.max_frame = DEFAULT_MAX_FRAME
            await super().prepare(link)


class TakesZeroAtItsWord(AgentUnderTest):
    """Leaves an exchange that says 0 for max_frame."""

    class make_client(_Opening):  # noqa: N801
        def change(self, link: ClientLink) -> None:
            usual = link._agree

            def agree(reply: BindReply) -> None:
                if not reply.max_frame:
                    raise BrokenExchange("its max_frame is 0")
                usual(reply)

            link._agree = agree  # type: ignore[method-assign]


class KnowsNoKindsOfCalls(AgentUnderTest):
    """Takes the kinds 30 to 3F for unknown ones."""

    class make_client(_Opening):  # noqa: N801
        def change(self, link: ClientLink) -> None:
            usual = link.session._refuse

            def refuse(invoke_id: int, status: int, about: int, detail: str, name: str = "") -> None:
                unknown = 0x30 <= about <= 0x3F
                usual(invoke_id, Status.UNKNOWN_KIND if unknown else status, about, detail, name)

            link.session._refuse = refuse  # type: ignore[method-assign]


class TakesEventsUnderAnyId(AgentUnderTest):
    """Doesn't look under which invoke id an event comes."""

    class make_client(_Opening):  # noqa: N801
        def change(self, link: ClientLink) -> None:
            usual = link.session._frame_received
            link.session._frame_received = lambda frame: usual(self.without_id(frame))  # type: ignore[method-assign]

        @staticmethod
        def without_id(frame: Frame) -> Frame:
            return evolve(frame, invoke_id=0) if frame.kind == 0x18 else frame


class AsksAsMuchAsItLikes(AgentUnderTest):
    """Ignores max_in_flight."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            link.session._requests.max_in_flight = 100
            await super().prepare(link)


class ServiceThatAsksAsMuchAsItLikes(ServiceUnderTest):
    """Likewise."""

    class make_service(AutomaticService):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            link.session._requests.max_in_flight = 100
            await super().prepare(link)


class KeepsToTheFirstLimit(AgentUnderTest):
    """Sends frames as long as its first link allowed."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            link.session.send_limit = DEFAULT_MAX_FRAME
            await super().prepare(link)
