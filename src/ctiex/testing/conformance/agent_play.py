"""The exchange against an agents' application: the numbering of its events, its logins, its requests."""

from __future__ import annotations

from contextlib import suppress
from random import SystemRandom
from typing import Any, ClassVar

from attrs import evolve

from ctiex.errors import Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    CallQuery,
    CallQueryReply,
    CancelReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectReply,
    ConnectRequest,
    Message,
    Role,
    UpdateReply,
    UpdateRequest,
)
from ctiex.testing.conformance.mailbox import AGENT, Mailbox
from ctiex.testing.conformance.play import OpenRequest, Play
from ctiex.testing.conformance.played_link import PlayedLink, Said
from ctiex.testing.conformance.verdicts import Failed, NotSeen
from ctiex.testing.conformance.waits import Late


class AgentPlay(Play):
    """One customer after the other is handed over by the client under test."""

    role = Role.AGENT
    other_reply: ClassVar[Message] = UpdateReply(Status.UNKNOWN_SERIAL, "1")
    not_for_it: ClassVar[Message] = Connection("7000", "13800138000**1")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mailbox = Mailbox()
        self.update_status: Status | None = Status.OK
        """How any UpdateRequest is answered at once; None: the case sees to it."""
        self.cancel_status: Status | None = Status.OK
        """The same of a CancelRequest."""

    def end(self) -> None:
        """The case is over, and with it what it has done to answers."""
        super().end()
        self.update_status = self.cancel_status = Status.OK

    def forget(self) -> None:
        """No call goes on for a client that has just been started."""
        self.mailbox.forget()

    # ------------------------------------------------------------ what is answered at once

    def heard(self, link: PlayedLink, said: Said) -> None:
        """Acknowledgements, and requests that no case is about."""
        match said.message:
            case AgentEventAck(sequence=sequence):
                link.acknowledged = max(link.acknowledged, sequence)
                self.mailbox.acknowledge(sequence)
            case AgentLogin(agent=number) if number == AGENT and link.logged_in:
                link.said.remove(said)
                self._log_in_again(link, said)
            case AgentLogout():
                link.send(AgentLogoutReply(Status.OK), said.invoke_id)
            case CallQuery():
                link.send(CallQueryReply(Status.OK, tuple(self.mailbox.listed.values())), said.invoke_id)
            case CancelRequest(serial=serial) if self.cancel_status is not None:
                link.send(CancelReply(self.cancel_status, serial), said.invoke_id)
            case UpdateRequest(serial=serial) if self.update_status is not None:
                self.reply_update(link, said.invoke_id, serial)

    @staticmethod
    def reply_update(link: PlayedLink, invoke_id: int, serial: str) -> None:
        """The call has these fields now."""
        link.send(UpdateReply(Status.OK, serial), invoke_id)

    # ------------------------------------------------------------ logins

    async def begin(self, **agreed: Any) -> OpenRequest:
        """A client that is bound, logged in, and waits for its ConnectReply; calls of an earlier case are ended."""
        while True:
            link = await self.bound(**agreed)
            await self.log_in(link, ends=list(self.mailbox.calls.values()))
            if await self._asks(link):
                self.begun()
                return self._asked(await self.takes(link, ConnectRequest))
            self.links.remove(link)

    async def _asks(self, link: PlayedLink) -> bool:
        """Whether the client hands a customer over there; it may end what an earlier case has left, and leave."""
        await self.comes(lambda: link.holds(ConnectRequest) or link.lost or link.unbound, "ConnectRequest")
        return link.holds(ConnectRequest)

    def _asked(self, asked: OpenRequest) -> OpenRequest:
        request = asked.request
        if (request.agent, request.service) != (AGENT, "conformance"):
            raise Failed(f"asked for the service {request.service!r} as agent {request.agent!r}")
        self.mailbox.drop(request.serial)
        return asked

    async def log_in(self, link: PlayedLink, ends: list[ConnectRequest] | None = None) -> AgentLogin:
        """Answer the login, and replay what it asks for."""
        asked = await self.takes_login(link)
        for call in ends or ():
            self.mailbox.add(self.clock.seconds(), call, Condition.TIMED_OUT, Status.TIMED_OUT, EMPTY)
        self._let_in(asked)
        return self._login_of(asked)

    def _log_in_again(self, link: PlayedLink, said: Said) -> None:
        """On a link where it was let in: whatever is played, that is answered, and what it asks for replayed."""
        link.logins_again += 1
        self._let_in(OpenRequest(link, said.invoke_id, said.message, said.at))

    def _let_in(self, asked: OpenRequest) -> None:
        self.answer_login(asked)
        self.replay(asked)

    async def takes_login(self, link: PlayedLink) -> OpenRequest:
        """The client's AgentLogin."""
        asked = await self.takes(link, AgentLogin)
        if asked.request.agent != AGENT:
            raise Failed(f"logged in {asked.request.agent!r}, not {AGENT}")
        return asked

    @staticmethod
    def _login_of(asked: OpenRequest) -> AgentLogin:
        login = asked.request
        assert isinstance(login, AgentLogin)
        return login

    def _goes_on(self, login: AgentLogin) -> bool:
        return login.epoch == self.mailbox.epoch and login.resume_after <= self.mailbox.last

    def answer_login(self, asked: OpenRequest) -> None:
        """As an exchange does that has this mailbox. Logins behind it on the link are answered as they come."""
        login, box = self._login_of(asked), self.mailbox
        anew = login.epoch != 0 and not self._goes_on(login)
        status = Status.NUMBERING_ANEW if anew else Status.OK
        asked.link.send(AgentLoginReply(status, box.epoch, box.first, box.last), asked.invoke_id)
        asked.link.logged_in = True
        while again := asked.link.take(AgentLogin, lambda login: login.agent == AGENT):
            self._log_in_again(asked.link, again)

    def resumes_after(self, asked: OpenRequest) -> int:
        """The last event that the client has, as its login says; 0 where it says so of no numbering or another."""
        login = self._login_of(asked)
        return login.resume_after if self._goes_on(login) else 0

    def replay(self, asked: OpenRequest) -> None:
        """Send all that the client hasn't got, by what it says."""
        after = self.resumes_after(asked)
        for sequence, event in sorted(self.mailbox.events.items()):
            if sequence > after:
                asked.link.send(event, 0)

    async def come_back(self, before: OpenRequest) -> PlayedLink:
        """The next link, logged in behind the last event that was acknowledged or sent."""
        link = await self.bound()
        login = await self.log_in(link)
        self.check_position(login, before.link.acknowledged)
        return link

    def check_position(self, login: AgentLogin, at_least: int, known: bool = False) -> None:
        """A client that has acknowledged events says how far it has come.

        :param known: whether it has a position even though it has acknowledged nothing.
        :raise Failed: it says something else.
        """
        if login.epoch != self.mailbox.epoch and (at_least or login.epoch or known):
            raise Failed(f"logged in with epoch {login.epoch}, not with {self.mailbox.epoch}, which it was told")
        if login.epoch and not at_least <= login.resume_after <= self.mailbox.last:
            raise Failed(f"logged in with resume_after {login.resume_after}, though it had acknowledged {at_least}")

    async def next_login(self, link: PlayedLink) -> OpenRequest:
        """The client's next AgentLogin behind a refusal, on this link or another."""
        await self.comes(lambda: link.holds(AgentLogin) or link.lost, "AgentLogin")
        return await self.takes_login(link if link.holds(AgentLogin) else await self.bound())

    async def repeated(self, before: OpenRequest) -> OpenRequest:
        """The same ConnectRequest on the next link."""
        if not before.request.serial:
            self.keep(before)
            raise NotSeen("no serial of its own stood in the ConnectRequest, which can't be repeated")
        link = await self.come_back(before)
        return await self.asked_again(before, link)

    async def recovers(self, before: OpenRequest) -> None:
        """The same, but without a serial of its own the client repeats nothing, and hears of the call by its events."""
        if before.request.serial:
            await super().recovers(before)
        else:
            self.keep(before)
            await self.finish(await self.come_back(before))

    async def asked_again(self, before: OpenRequest, link: PlayedLink) -> OpenRequest:
        """The same ConnectRequest, on this link."""
        if not before.request.serial:
            raise Failed("asked again with an empty serial, which may make a second call")
        again = await self.takes(link, ConnectRequest)
        self.check_same(before, again)
        return again

    async def asked_later(self, before: OpenRequest) -> OpenRequest | None:
        """The same ConnectRequest behind a refusal, or None where the client gives up."""
        link = before.link
        await self.comes(
            lambda: link.holds(ConnectRequest) or link.unbound or link.lost,
            "repeat, and no Unbind",
        )
        self.check()
        if not link.holds(ConnectRequest):
            return None
        again = await self.takes(link, ConnectRequest)
        self.check_same(before, again)
        return again

    @staticmethod
    def check_same(before: OpenRequest, again: OpenRequest) -> None:
        """:raise Failed: a repeat is another request."""
        if before.request != again.request:
            raise Failed(f"asked for another call: serial {again.request.serial}, before {before.request.serial}")

    # ------------------------------------------------------------ the call

    def yes(self, asked: OpenRequest) -> ConnectReply:
        """The exchange keeps the call."""
        return ConnectReply(Status.OK, self.keep(asked))

    def keep(self, asked: OpenRequest) -> str:
        """The call is kept, and nothing is said of that yet; gives its serial."""
        serial = asked.request.serial or str(SystemRandom().randrange(10**19, 10**20))
        self.call = evolve(asked.request, serial=serial)
        self.mailbox.keep(self.clock.seconds(), self.call)
        return serial

    def note(self, condition: int, fields: Fields = EMPTY, status: int = Status.OK) -> AgentEvent:
        """An event of the call that goes into the mailbox alone."""
        return self.mailbox.add(self.clock.seconds(), self.call, condition, status, fields)

    def foreign(self) -> AgentEvent:
        """An event of a call that this run of the client hasn't asked for."""
        self.mailbox.last += 1
        return AgentEvent(self.mailbox.last, 0, AGENT, "0000000000000000007", "", Condition.COMPLETED)

    def tell(self, link: PlayedLink, condition: int, fields: Fields = EMPTY, status: int = Status.OK) -> AgentEvent:
        """An event of the call."""
        event = self.note(condition, fields, status)
        link.send(event, 0)
        return event

    async def acknowledges(self, link: PlayedLink) -> None:
        """All that was told."""
        last = self.mailbox.last
        await self.says(link, lambda: self._has_acknowledged(link), f"acknowledgement of event {last}")

    async def may_acknowledge(self, link: PlayedLink) -> None:
        """The same, but one acknowledgement at the final event is enough for all: it isn't waited for long."""
        with suppress(Late):
            await self.until(lambda: self._has_acknowledged(link) or link.lost or link.unbound, self.patience.settles)

    def _has_acknowledged(self, link: PlayedLink) -> bool:
        last = self.mailbox.last
        if link.acknowledged > last:
            raise Failed(f"acknowledged event {link.acknowledged}, though {last} is the last")
        return link.acknowledged == last

    async def leaves(self, link: PlayedLink) -> None:
        """The client knows that its hand-off is over, and says goodbye."""
        await self.comes(lambda: link.unbound or link.lost or None, "Unbind behind the final event")
        self.check()
        if not link.unbound:
            raise Failed("closed the link behind the final event, without Unbind")

    async def ends(self, link: PlayedLink, condition: int = Condition.COMPLETED, status: int = Status.OK) -> None:
        """The final event, what it says of it, and its goodbye."""
        self.tell(link, condition, Fields({"result": "done"}), status)
        await self.acknowledges(link)
        await self.leaves(link)

    async def finish(self, link: PlayedLink) -> None:
        """The call is connected, served and over."""
        for condition in (Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED):
            self.tell(link, condition)
        await self.ends(link)

    def gave_up(self, asked: OpenRequest) -> str | None:
        """The client asks for another call, or leaves."""
        link = asked.link
        if link.unbound:
            return "took it for the end, and said Unbind"
        if link.lost:
            return "closed the link"
        return "asked again, before it had an answer" if link.holds(ConnectRequest) else None

    def sample(self, asked: OpenRequest) -> tuple[Message, int]:
        """An event."""
        request = asked.request
        event = AgentEvent(
            self.mailbox.last + 1, 0, AGENT, request.serial or "1", request.reference, Condition.CONNECTING
        )
        return event, 0
