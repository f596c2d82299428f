"""The exchange's end of a link: who may bind, how many, and what leaving means. Both links share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from functools import partial

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.links._protocol import LinkProtocol
from ctiex.links.credentials import Credentials, TooManyHashings
from ctiex.links.session import Session, SessionLimits, SessionState
from ctiex.links.waiting import Waiters
from ctiex.messages import VERSION, Bind, BindReply, Error, Message, Role
from ctiex.processing.counts import Counts
from ctiex.processing.identities import Identity
from ctiex.processing.service import ProcessingService

_log = Logger()


@define
class LinkCounter:
    """How many links each identity has bound, on both listening ports together."""

    most: int = 4_096
    bound: Counter[str] = field(factory=Counter)

    def take(self, identity: str) -> bool:
        """Count one more; False when the identity has as many as it may have."""
        if self.bound[identity] >= self.most:
            return False
        self.bound[identity] += 1
        return True

    def give_back(self, identity: str) -> None:
        """One of them is gone."""
        self.bound[identity] -= 1
        if not self.bound[identity]:
            del self.bound[identity]


@define
class LinkSurroundings:
    """What every link of one listening port works with."""

    clock: IReactorTime
    codec: ICodec
    limits: SessionLimits
    credentials: Credentials
    processing: ProcessingService
    new_session_name: Callable[[], str]
    """Makes a name for each session, for logs on both sides."""
    counter: LinkCounter = field(factory=LinkCounter)
    counts: Counts = field(factory=Counts)


class ExchangeLink(LinkProtocol):
    """One link as the exchange sees it. Subclasses say what a bound one does."""

    role: Role

    def __init__(self, surroundings: LinkSurroundings, factory: ExchangeLinkFactory) -> None:
        super().__init__(surroundings.clock)
        self._with = surroundings
        self._factory = factory
        self.who: Identity | None = None
        """The identity it is bound under; None before."""
        self.name = ""
        self._checking: Deferred[None] | None = None
        """The check of a secret that is under way."""

    def make_session(self) -> Session:
        """The exchange's end of a session."""
        return Session(self._with.codec, self._with.limits, self, self.clock.seconds())

    def request_received(self, message: Message, invoke_id: int) -> None:
        """A request of a bound client."""
        raise AssertionError(f"{type(self).__name__} handles no {type(message).__name__}")

    def error_received(self, error: Error) -> None:
        """A client complains of something that asked for no answer."""
        _log.info("session {session} was told: {status}", session=self.name, status=Status.of(error.status).text)

    def link_bound(self, identity: Identity) -> None:
        """The link is bound, and its BindReply is first in what will be written."""

    def link_unbound(self, identity: Identity) -> None:
        """A bound link is gone."""

    # ------------------------------------------------------------ Bind

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """Check the identity; the session waits for the outcome."""
        try:
            checked = self._with.credentials.check(bind.identity, bind.secret, bind.role)
        except TooManyHashings as error:
            self._with.counts.binds_refused += 1
            self.session.bound(BindReply(Status.TOO_BUSY, detail=str(error)), invoke_id)
            return
        if isinstance(checked, Deferred):
            checked.addErrback(self._check_failed)
            self._checking = checked.addCallback(
                lambda identity: self.handle(partial(self._bind_checked, bind, invoke_id, identity))
            )
        else:
            self._bind_checked(bind, invoke_id, checked)

    def _check_failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("a secret could not be checked", failure)

    def _bind_checked(self, bind: Bind, invoke_id: int, identity: Identity | None) -> None:
        if self.session.state is not SessionState.BINDING:
            return  # gone while its secret was checked
        status, detail = self._bind_status(identity)
        if identity is None or status is not Status.OK:
            self._with.counts.binds_refused += 1
            _log.warn("bind of {identity!r} from {peer} refused: {status}", identity=bind.identity[:64],
                      peer=self.peer, status=status.text)  # fmt: skip
            self.session.bound(BindReply(status, detail=detail or status.text), invoke_id)
            return
        self.name = self._with.new_session_name()
        self.who = identity
        self._with.counts.links_bound += 1
        _log.info("{identity} bound as session {session} from {peer} with {software!r}", identity=identity.name,
                  session=self.name, peer=self.peer, software=bind.software[:64])  # fmt: skip
        self.session.bound(self._bind_reply(), invoke_id, self.role)
        self.link_bound(identity)

    def _bind_status(self, identity: Identity | None) -> tuple[Status, str]:
        if identity is None or identity.role is not self.role:
            return Status.REFUSED_CREDENTIALS, ""
        if self._with.processing.leaving:
            return Status.GOING_AWAY, ""
        if not self._with.counter.take(identity.name):
            return Status.TOO_BUSY, "this identity has as many links as it may have"
        return Status.OK, ""

    def _bind_reply(self) -> BindReply:
        limits = self._with.limits
        return BindReply(
            Status.OK,
            VERSION,
            self.name,
            int(limits.heartbeat),
            limits.max_frame,
            self._with.processing.exchange_address,
        )

    # ------------------------------------------------------------ ends

    def link_opened(self) -> None:
        """Counted, and known to those who end all links."""
        self._factory.add(self)
        self._with.counts.links_opened += 1

    def link_evicted(self) -> None:
        """The client left too much unread."""
        self._with.counts.links_evicted += 1
        _log.warn("session {session} of {identity} cut off: it doesn't read", session=self.name,
                  identity=self.who and self.who.name)  # fmt: skip

    def link_closed(self, reason: str) -> None:
        """Give back what the link held."""
        self._factory.discard(self)
        if self._checking is not None:
            self._checking.cancel()
        counts, session = self._with.counts, self.session
        counts.frames_refused += session.errors_sent
        counts.requests_over_limit += session.refused_over_limit
        counts.links_silent += session.silent
        if self.who is not None:
            _log.info("session {session} of {identity} ended: {reason}", session=self.name, identity=self.who.name,
                      reason=reason)  # fmt: skip
            self._with.counter.give_back(self.who.name)
            self.link_unbound(self.who)

    def going_away(self) -> None:
        """Tell the client that the exchange leaves; the link ends once it answers, or soon after."""
        if self.who is None:
            self.session.end("the exchange goes away")
        else:
            deadline = self.clock.seconds() + self._with.limits.login_deadline
            self.session.unbind(Status.GOING_AWAY, "the exchange goes away", deadline)
        self.flush()


class ExchangeLinkFactory(Factory):
    """Makes the links of one listening port and knows those that are open."""

    noisy = False

    def __init__(self, surroundings: LinkSurroundings) -> None:
        self._with = surroundings
        # A dictionary, since a set would be walked in another order in every run.
        self._links: dict[ExchangeLink, None] = {}
        self._waiting: Waiters[None] = Waiters()

    @property
    def links(self) -> Set[ExchangeLink]:
        """The links that are open, the oldest first."""
        return self._links.keys()

    def add(self, link: ExchangeLink) -> None:
        """A link is open."""
        self._links[link] = None

    def going_away(self) -> None:
        """Tell every client that the exchange leaves."""
        for link in list(self.links):
            link.going_away()

    def when_empty(self) -> Deferred[None]:
        """Fires once the last link is gone, at once if there is none."""
        waiting = self._waiting.add().addErrback(_given_up)
        self._tell_if_empty()
        return waiting

    def cut_all(self) -> None:
        """End at once whatever links are left."""
        for link in list(self.links):
            link.cut("the exchange stops")

    def discard(self, link: ExchangeLink) -> None:
        """A link is gone."""
        self._links.pop(link, None)
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if not self.links:
            self._waiting.fire(None)


def _given_up(failure: Failure) -> None:
    failure.trap(CancelledError)
