"""The IVR link, on the exchange's side: data by serial, reports, and connections pushed to services."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from math import inf

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from ctiex.errors import LinkError, RequestTimedOut, Status
from ctiex.identities import Identity
from ctiex.interfaces import IDataResponder, IServiceSession
from ctiex.links.exchange import ExchangeLink, ExchangeLinkFactory, LinkContext
from ctiex.links.outgoing import SessionState
from ctiex.links.requests import connection_status
from ctiex.messages import (
    KIND_OF,
    CallEnded,
    Connection,
    DataChanged,
    DataRequest,
    DataResult,
    Feature,
    Message,
    Role,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.processing.service_sessions import ServiceSessions

_DATA_RESULT = KIND_OF[DataResult]


_UPDATES: frozenset[str] = frozenset({Feature.UPDATES})


@implementer(IServiceSession)
class IvrLink(ExchangeLink):
    """One IVR link. It is one of the sessions that calls are offered to."""

    role = Role.SERVICE
    _factory: IvrLinkFactory

    @property
    def offered_features(self) -> frozenset[str]:
        """What may come behind a Connection."""
        return _UPDATES

    def request_received(self, message: Message, invoke_id: int) -> None:
        """What a bound service asks for."""
        who = self.who
        assert who is not None, "only bound sessions pass requests on"
        if isinstance(message, DataRequest):
            self._context.processing.data(who, message, partial(self._answer_data, who, message, invoke_id))
        elif isinstance(message, ServiceEvent):
            self._context.processing.report(who, message, lambda reply: self._answer(who, message, reply, invoke_id))

    def _answer_data(self, who: Identity, request: DataRequest, invoke_id: int, found: bytes | Status) -> None:
        if isinstance(found, bytes):
            self.session.reply_body(_DATA_RESULT, invoke_id, found)
        else:
            self.session.reply(DataResult(found, request.serial), invoke_id)
        if self._context.tells_answers:
            self._tell(who, request, Status.OK if isinstance(found, bytes) else found)
        if not self._receiving:  # else the session stops reading once there is much output, and then it is written
            self.flush()

    def _answer(self, who: Identity, event: ServiceEvent, reply: ServiceEventReply, invoke_id: int) -> None:
        if self._context.tells_answers:
            self._tell(who, event, reply.status)
        self.session.reply(reply, invoke_id)
        self.flush()

    def _tell(self, who: Identity, request: DataRequest | ServiceEvent, status: int) -> None:
        unknown = status == Status.UNKNOWN_SERIAL
        reason = self._context.processing.why_unknown(who, request.serial) if unknown else ""
        self._observer.request_answered(self.info, request, status, reason=reason)

    # ------------------------------------------------------------ as a session that calls are offered to

    @property
    def identity(self) -> str:
        """The identity that it is bound under; empty before."""
        return "" if self.who is None else self.who.name

    @property
    def bound(self) -> bool:
        """Whether calls may be offered to it.

        Not when one side has said that it leaves, nor when it leaves so many unanswered that more would only wait.
        """
        session = self.session
        stays = session.state is SessionState.BOUND and session.accepting
        return self.who is not None and stays and not session.queue_full

    def connect(self, connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        """Write a Connection."""

        def heard(answer: Message | LinkError) -> None:
            if not isinstance(answer, RequestTimedOut):
                answered(connection_status(answer))

        self.session.request(connection, heard, deadline)
        self.flush()

    def tell(self, message: CallEnded | DataChanged, answered: Callable[[bool], None]) -> None:
        """Write a CallEnded or a DataChanged."""

        def heard(answer: Message | LinkError) -> None:
            was_answered = not isinstance(answer, LinkError)
            if was_answered:
                self._observer.notice_answered(self.info, message)
            answered(was_answered)

        self.session.request(message, heard, inf)  # it is owed until it is answered, or the link ends
        self.flush()

    def link_bound(self, identity: Identity) -> None:
        """Calls may be offered to it from now on."""
        if self.bound:
            if not self._context.tells_answers:
                self.session.quick = self._factory.data_responder(identity.name)
            self._factory.sessions.add(self, identity)

    def link_unbound(self, identity: Identity) -> None:
        """No more calls for it."""
        self._factory.sessions.remove(self)


class IvrLinkFactory(ExchangeLinkFactory):
    """Accepts the automatic services' links."""

    def __init__(self, context: LinkContext, sessions: ServiceSessions) -> None:
        super().__init__(context)
        self.sessions = sessions
        self._quick_answers: dict[str, IDataResponder | None] = {}

    def buildProtocol(self, addr: IAddress | None) -> IvrLink:
        """A link for a connection that was accepted."""
        return IvrLink(self._context, self)

    def data_responder(self, identity: str) -> IDataResponder | None:
        """What answers the DataRequests of an identity at once; one for all of its links."""
        if identity not in self._quick_answers:
            self._quick_answers[identity] = None if self._measures else self._made(identity)
        return self._quick_answers[identity]

    @cached_property
    def _measures(self) -> bool:
        """Whether data that was stored under a longer limit is too long for this one: it takes the path that checks it.

        Looked for when the first service has bound.
        """
        return self._context.processing.keeps_too_long()

    def _made(self, identity: str) -> IDataResponder | None:
        processing = self._context.processing
        return self._context.codec.data_responder(processing.fetched, identity, processing.exchange_address)
