"""The agent link, on the exchange's side: several agent numbers on one bound session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IAddress

from ctiex.call_messages import AgentState, CallControl, CallData, Monitor
from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.links.exchange import ExchangeLink, ExchangeLinkFactory, LinkContext
from ctiex.links.refusals import refusal
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLogout,
    AgentLogoutReply,
    CallQuery,
    CancelRequest,
    ConnectRequest,
    Error,
    Feature,
    Message,
    Role,
    UpdateRequest,
)
from ctiex.processing.mailboxes import Mailboxes
from ctiex.processing.presence import AgentPresence

_AGENT_EVENT = KIND_OF[AgentEvent]


_NONE: frozenset[str] = frozenset()
_CALLS: frozenset[str] = frozenset({Feature.CALLS})


class AgentLink(ExchangeLink):
    """One agent link: the connection of the agent numbers that are logged in on it."""

    role = Role.AGENT

    def __init__(
        self, context: LinkContext, factory: ExchangeLinkFactory, presence: AgentPresence, mailboxes: Mailboxes
    ) -> None:
        super().__init__(context, factory)
        self._presence = presence
        self._mailboxes = mailboxes
        # A dictionary, since a set would be walked in another order in every run.
        self._agents: dict[str, None] = {}

    @property
    def offered_features(self) -> frozenset[str]:
        """Calls, where the exchange controls them."""
        return _NONE if self._context.call_control is None else _CALLS

    def request_received(self, message: Message, invoke_id: int) -> None:
        """What a bound agent asks for."""
        who = self.who
        assert who is not None, "only bound sessions pass requests on"
        if isinstance(message, AgentEventAck):
            self._mailboxes.acknowledge(message.agent, self, message.sequence)
            return
        answer: Callable[[Message], None] = partial(self._answer, invoke_id)
        if self._context.tells_answers:
            answer = partial(self._tell_and_answer, who, message, invoke_id)
        match message:
            case AgentLogin():
                self._login(who, message, answer)
            case AgentLogout():
                self._logout(message, answer)
            case ConnectRequest():
                self._context.processing.connect(who, self, message, answer)
            case CancelRequest():
                self._context.processing.cancel(who, message, answer)
            case UpdateRequest():
                self._context.processing.update(who, message, answer)
            case CallQuery():
                self._context.processing.query(who, message, answer)
            case _:
                self._control(who, message, answer)

    def _control(self, who: Identity, message: Message, answer: Callable[[Message], None]) -> None:
        """What the feature ``calls`` brings; it is granted where there is call control alone."""
        control = self._context.call_control
        assert control is not None, "the feature was granted"
        match message:
            case Monitor():
                control.monitor(self, who, message, answer)
            case AgentState():
                control.agent_state(who, message, answer)
            case CallControl():
                control.control(who, message, answer)
            case CallData():
                control.data(who, message, answer)

    def tell(self, message: Message) -> None:
        """Write what has happened to a call or an agent: it isn't kept, and not answered."""
        self.session.notify(message)
        self.flush()

    def _answer(self, invoke_id: int, reply: Message) -> None:
        """Write a reply, now or when the store has taken its time."""
        self.session.reply(reply, invoke_id)
        self.flush()

    def _tell_and_answer(self, who: Identity, request: Message, invoke_id: int, reply: Any) -> None:
        reason = ""
        if isinstance(request, (CancelRequest, UpdateRequest)) and reply.status == Status.UNKNOWN_SERIAL:
            reason = self._context.processing.why_unknown(who, request.serial)
        self._observer.request_answered(self.info, request, reply.status, getattr(reply, "serial", ""), reason)
        self._answer(invoke_id, reply)

    def _login(self, who: Identity, message: AgentLogin, answer: Callable[[Message], None]) -> None:
        if not who.may_act_for(message.agent):
            answer(refusal(message, Status.NOT_ALLOWED_HERE, "not an agent number of this identity"))
            return
        if len(self._agents) >= self._context.admission.limits.agents_per_link and message.agent not in self._agents:
            self._observer.agent_over_limit()
            answer(refusal(message, Status.TOO_BUSY, "too many agent numbers on this link"))
            return
        if not self._presence.bring(message.agent, who.name):
            self._observer.agent_over_limit()
            detail = "this identity has registered as many agent numbers as agents_per_identity allows"
            answer(refusal(message, Status.TOO_BUSY, detail))
            return
        reply = self._mailboxes.login(self, message)
        self._agents[message.agent] = None
        answer(reply)
        self._mailboxes.resume(message.agent, self)
        self._context.processing.agent_logged_in(message.agent)
        control = self._context.call_control
        if control is not None:
            control.logged_in(self, message.agent)

    def _logout(self, message: AgentLogout, answer: Callable[[Message], None]) -> None:
        was_here = self._presence.logout(message.agent, self)
        self._agents.pop(message.agent, None)
        answer(AgentLogoutReply(Status.OK if was_here else Status.AGENT_NOT_LOGGED_IN))

    # ------------------------------------------------------------ as the connection of its agents

    def send_event(self, body: bytes) -> None:
        """Write an AgentEvent."""
        self.session.notify_body(_AGENT_EVENT, body)
        self.flush()

    def taken_over(self, agent: str) -> None:
        """Tell the agent's application that another link has this agent number now."""
        self._agents.pop(agent, None)
        self._observer.agent_taken_over(self.info, agent)
        self.session.notify(Error(Status.SESSION_TAKEN_OVER, KIND_OF[AgentLogin], agent))
        self.flush()

    def link_writable(self) -> None:
        """Go on with the events that waited."""
        for agent in list(self._agents):
            self._mailboxes.resume(agent, self)

    def link_unbound(self, identity: Identity) -> None:
        """Its agents aren't here any more."""
        for agent in self._agents:
            self._presence.logout(agent, self)
        control = self._context.call_control
        if control is not None:
            control.monitors.leave(self)


class AgentLinkFactory(ExchangeLinkFactory):
    """Accepts the agents' links."""

    def __init__(self, context: LinkContext, presence: AgentPresence, mailboxes: Mailboxes) -> None:
        super().__init__(context)
        self._presence = presence
        self._mailboxes = mailboxes

    def buildProtocol(self, addr: IAddress | None) -> AgentLink:
        """A link for a connection that was accepted."""
        return AgentLink(self._context, self, self._presence, self._mailboxes)
