"""The exchange's end of a link: who may bind, how many, and what leaving means. Both links share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from ctiex.call_control.control import CallControlService
from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links.admission import Admission, AdmissionRefusal
from ctiex.links.outgoing import ANSWER_UNBIND_WITHIN, SessionState
from ctiex.links.peers import certificate_names, seen, source_of, source_of_address
from ctiex.links.protocol import LinkProtocol
from ctiex.links.session import Session
from ctiex.links.turns import Share, Turns
from ctiex.links.waiters import Waiters
from ctiex.login.authentication import Authenticator, LoginAttempt, LoginDecision, PeerInfo
from ctiex.messages import VERSION, Bind, BindReply, Error, Message, Role
from ctiex.monitoring.observer import LinkInfo, Observer, Observers
from ctiex.processing.service import ProcessingService
from ctiex.tls.handshake_errors import TLS_REFUSED

_SHUTTING_DOWN = "the exchange is shutting down"
_MOST_TOLD = 0xFFFF
"""The greatest number of requests in flight that a BindReply can tell."""


@define
class LinkContext:
    """What every link of one listening port works with."""

    clock: IReactorTime
    codec: ICodec
    limits: SessionLimits
    authenticator: Authenticator
    """Looks at every Bind."""
    processing: ProcessingService
    new_session_name: Callable[[], str]
    """Makes a name for each session, for logs on both sides."""
    admission: Admission
    """Counts the links, those of the other listening port with them."""
    observer: Observers
    """Hears of every Bind, every request and every end."""
    turns: Turns
    """Has identities take turns, and the sources of unbound links; those of the other listening port, too."""
    call_control: CallControlService | None = None
    """Of the platform whose calls are controlled."""

    tells_answers: bool = field(init=False)
    """Whether anybody hears of each answer; else nothing is made ready to be told."""

    @tells_answers.default
    def _as_the_observer_does(self) -> bool:
        return self.observer.hears(Observer.request_answered)


class ExchangeLink(LinkProtocol):
    """One link as the exchange sees it. Subclasses say what a bound one does."""

    role: Role

    @property
    def offered_features(self) -> frozenset[str]:
        """Those that a client may have."""
        return frozenset()

    def __init__(self, context: LinkContext, factory: ExchangeLinkFactory) -> None:
        super().__init__(context.clock)
        self._context = context
        self._factory = factory
        self.who: Identity | None = None
        """The identity it is bound under; None before."""
        self.name = ""
        self._party = ("", "")
        """Whose turns it has: its source's, and once it is bound its identity's."""
        self._source: str | None = None
        """What limits count it by; None if it was turned away, and isn't counted."""
        self._attempt: LoginAttempt | None = None
        """The Bind that is looked at."""
        self.features: Sequence[str] = ()
        """Those that were granted."""
        self.info = LinkInfo(self.role, lambda: self.peer)
        self._observer = context.observer

    def make_session(self) -> Session:
        """The exchange's end of a session."""
        context, now = self._context, self.clock.seconds()
        return Session(context.codec, context.limits, self, now, observer=self._observer, link=self.info)

    def make_share(self) -> Share:
        """What all links of its source have together that aren't bound."""
        self._party = "source", source_of(self.transport)
        return self._context.turns.enter(self._party)

    def _share_with_identity(self, identity: Identity) -> None:
        self.share.leave(self)
        self._context.turns.leave(self._party)
        self._party = "identity", identity.name
        self.take_share(self._context.turns.enter(self._party))

    def request_received(self, message: Message, invoke_id: int) -> None:
        """A request of a bound client."""
        raise AssertionError(f"{type(self).__name__} handles no {type(message).__name__}")

    def error_received(self, error: Error) -> None:
        """A client complains of something that asked for no answer."""
        self._observer.error_received(self.info, error.status)

    def link_bound(self, identity: Identity) -> None:
        """The link is bound, and its BindReply is first in what will be written."""

    def link_unbound(self, identity: Identity) -> None:
        """A bound link is gone."""

    # ------------------------------------------------------------ Bind

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """Check the identity; the session waits for the outcome."""
        refused, decided = partial(self._bind_refused, bind), partial(self._decided, bind, invoke_id)
        self._attempt = attempt = LoginAttempt(
            self._context.authenticator, bind, self._peer_info(bind), refused, decided
        )
        attempt.begin()

    def _peer_info(self, bind: Bind) -> PeerInfo:
        assert self._source is not None, "a link that was turned away takes no Bind"
        names = () if bind.secret else certificate_names(self.transport)
        # Not the source that the link is counted by: a proxy tells whose connection it is after it has opened.
        source, private = seen(self.transport)
        return PeerInfo(self.role, source, private, names, self.session.login_due)

    def _decided(self, bind: Bind, invoke_id: int, verdict: LoginDecision) -> None:
        self._attempt = None
        answer = partial(self._answer_bind, bind, invoke_id, verdict)
        if self._receiving:
            answer()
        else:
            self.handle(answer)

    def _answer_bind(self, bind: Bind, invoke_id: int, verdict: LoginDecision) -> None:
        if self.session.state is not SessionState.BINDING:
            return  # gone while it was looked at
        verdict = self._if_there_is_room(bind, verdict)
        identity = verdict.identity
        if identity is None:
            self.session.bound(BindReply(verdict.status, detail=verdict.detail), invoke_id)
            return
        self.name = self._context.new_session_name()
        self.who = identity
        self._share_with_identity(identity)
        self.info.session, self.info.identity = self.name, identity.name
        self._observer.link_bound(self.info, bind.software)
        wanted = dict.fromkeys(bind.features.split(" "))
        self.features = [feature for feature in wanted if feature in self.offered_features]
        self.session.bound(self._bind_reply(), invoke_id, self.role)
        self.link_bound(identity)

    def _if_there_is_room(self, bind: Bind, verdict: LoginDecision) -> LoginDecision:
        """The verdict on an identity that is known may still be that it can't bind now."""
        identity = verdict.identity
        if identity is None:
            return verdict
        assert self._source is not None
        if self._context.processing.leaving:
            verdict = LoginDecision(Status.GOING_AWAY, detail=Status.GOING_AWAY.text, reason=_SHUTTING_DOWN)
        elif not self._context.admission.bind(self._source, identity.name):
            detail = "too many links of this identity"
            verdict = LoginDecision(Status.TOO_BUSY, None, detail, detail, counter="links_over_identity_limit")
        if verdict.identity is None:
            self._bind_refused(bind, verdict)
        return verdict

    def _bind_refused(self, bind: Bind, verdict: LoginDecision) -> None:
        """Tell of a refusal; the answer may come later."""
        self._observer.bind_refused(
            self.info, bind.identity, verdict.status, verdict.reason, verdict.in_floods, verdict.counter
        )

    def _bind_reply(self) -> BindReply:
        limits = self._context.limits
        return BindReply(
            Status.OK,
            VERSION,
            self.name,
            int(limits.heartbeat),
            self.session.send_limit,  # that of its beginning, by which what came so far was read
            min(limits.max_in_flight, _MOST_TOLD),
            self._context.processing.exchange_address,
            " ".join(self.features),
        )

    # ------------------------------------------------------------ ends

    def link_opened(self) -> None:
        """Counted, and known to those who end all links; or turned away."""
        _, source = self._party
        self.info.source = source
        refusal = self._context.admission.admit(source, self.clock.seconds())
        if refusal is not None:
            self._observer.connection_refused(self.info, refusal.value, refusal.name, source)
            self.cut(refusal.value)
            return
        self._source = source
        self._factory.links[self] = None
        self._observer.link_opened(self.info)

    def link_evicted(self) -> None:
        """The client left too much unread."""
        self._observer.link_cut(self.info, "the peer doesn't read", "links_evicted")

    def link_closed(self, reason: str) -> None:
        """Give back what the link held."""
        self._factory.discard(self)
        self._context.turns.leave(self._party)
        if self._attempt is not None:
            self._attempt.leave()
            self._attempt = None
        if self.who is None and reason.startswith(TLS_REFUSED):
            self._observer.tls_refused(self.info, reason)  # the endpoint has told the log, with more of why
        if self._source is not None:
            self._context.admission.leave(self._source, None if self.who is None else self.who.name)
        peer = self.peer
        self.info.peer_now = lambda: peer  # the link is freed at once, and not with what is known of it
        self._observer.link_ended(self.info, reason)
        if self.who is not None:
            self.link_unbound(self.who)

    def send_away(self, status: Status, why: str) -> None:
        """Have the client leave: a bound one is told by an Unbind, and the link ends once it answers, or soon after.

        :param status: 15, or 11 where it may not bind again as it did.
        """
        if self.who is None:
            self.session.end(why)
        else:
            self.session.unbind(status, why, self.clock.seconds() + ANSWER_UNBIND_WITHIN)
        self.flush()


class ExchangeLinkFactory(Factory):
    """Makes the links of one listening port and knows those that are open."""

    noisy = False

    def __init__(self, context: LinkContext) -> None:
        self._context = context
        # A dictionary, since a set would be walked in another order in every run.
        self.links: dict[ExchangeLink, None] = {}
        """The links that are open, the oldest first."""
        self._waiting: Waiters[None] = Waiters()

    def without_descriptor(self, address: IAddress | None) -> None:
        """A connection was turned away, since too few file descriptors left."""
        refusal, source = AdmissionRefusal.connections_without_descriptor, source_of_address(address)
        self._context.observer.connection_refused(None, refusal.value, refusal.name, source)

    def going_away(self) -> None:
        """Tell every client that the exchange leaves."""
        for link in list(self.links):
            link.send_away(Status.GOING_AWAY, _SHUTTING_DOWN)

    def when_empty(self) -> Deferred[None]:
        """Fires once the last link is gone, at once if there is none."""
        waiting = self._waiting.add().addErrback(lambda given_up: given_up.trap(CancelledError) and None)
        self._tell_if_empty()
        return waiting

    def cut_all(self) -> None:
        """End at once whatever links are left."""
        for link in list(self.links):
            link.cut("the exchange is stopping")

    def discard(self, link: ExchangeLink) -> None:
        """A link is gone."""
        self.links.pop(link, None)
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if not self.links:
            self._waiting.fire(None)
