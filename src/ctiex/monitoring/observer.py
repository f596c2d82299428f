"""What happens in an exchange, told once: counters, audit and log listen to it, and others may.

::

    links, login, processing  --one call for each event-->  Observers  -->  Counters     (the metrics)
                                                                       -->  AuditTrail   (the audit log)
                                                                       -->  EventLog     (the log)

The data fast path tells nothing: where anybody wants to hear of each answer, it isn't used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import getmembers, isfunction
from typing import Any

from attrs import define

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import IServiceSession
from ctiex.messages import Bind, CallEnded, Condition, DataChanged, Message, Role
from ctiex.records import Call


@define(eq=False)
class LinkInfo:
    """What is known of one link of the exchange."""

    role: Role | None = None
    """On which of the two links; None on a client's end."""
    peer_now: Callable[[], str] = str
    """Gives the other side's address: behind a proxy it is known only once the link has opened."""
    source: str = ""
    """What limits count it by before its Bind."""
    session: str = ""
    """The session's name; empty before its Bind."""
    identity: str = ""
    """The identity that it is bound under; empty before."""

    @property
    def peer(self) -> str:
        """The other side's address."""
        return self.peer_now()


class Observer:
    """A listener: a method for each event, which does nothing. One overrides those that it wants.

    None may fail, wait, or take long: each is called where the event happens.
    """

    # ------------------------------------------------------------ the exchange

    def exchange_started(self, exchange: str) -> None:
        """It listens, and takes calls."""

    def exchange_stopping(self, exchange: str) -> None:
        """It takes no new calls, and says goodbye to its links."""

    def store_failed(self, probed: bool) -> None:
        """The store failed to commit a change.

        :param probed: it had failed before, and was only asked whether it takes changes again.
        """

    # ------------------------------------------------------------ links

    def connection_refused(self, link: LinkInfo | None, reason: str, counter: str, source: str) -> None:
        """A connection was closed at once.

        :param link: None where the connection didn't become one.
        :param counter: the attribute of `ctiex.monitoring.counters.Counters` that counts these.
        """

    def tls_refused(self, link: LinkInfo, reason: str) -> None:
        """A connection failed in its TLS handshake."""

    def link_opened(self, link: LinkInfo) -> None:
        """A connection was accepted."""

    def source_locked_out(self, source: str, seconds: float, failures: int) -> None:
        """A source may not log in for so many seconds, after so many refused logins."""

    def link_bound(self, link: LinkInfo, software: str) -> None:
        """A Bind was answered 0."""

    def bind_refused(
        self, link: LinkInfo, claimed: str, status: Status, reason: str, in_floods: bool, counter: str
    ) -> None:
        """A Bind was refused; the answer may come later.

        :param claimed: the identity that it named, which may be anything.
        :param reason: why, in more words than the other side hears.
        :param in_floods: whether one peer can bring as many of these about as it likes.
        :param counter: the attribute of `ctiex.monitoring.counters.Counters` that counts these apart; empty if none.
        """

    def version_refused(self, link: LinkInfo, bind: Bind) -> None:
        """A Bind was answered 3."""

    def link_cut(self, link: LinkInfo, reason: str, counter: str) -> None:
        """A link is ended since its peer sends too much, or doesn't read.

        :param counter: the attribute of `ctiex.monitoring.counters.Counters` that counts these.
        """

    def link_silent(self) -> None:
        """A link is ended since nothing came in, or no Bind in time."""

    def link_ended(self, link: LinkInfo, reason: str) -> None:
        """A link is gone, bound or not."""

    def monitoring_refused(self) -> None:
        """A connection to the port of metrics and health was closed at once."""

    def turn_used_up(self) -> None:
        """An identity's, or an unbound source's, links had more to handle than its share of a turn."""

    def rate_used_up(self) -> None:
        """They have to wait, since its share of a second was used up."""

    # ------------------------------------------------------------ requests

    def frame_refused(self, link: LinkInfo, status: int, name: str) -> None:
        """A frame was answered with Error.

        :param name: that of its message; empty where it has none.
        """

    def error_received(self, link: LinkInfo, status: int) -> None:
        """A client complains of something that asked for no answer."""

    def request_over_limit(self, link: LinkInfo, request: Message) -> None:
        """A request was answered 14: there are too many in flight, or they come too fast."""

    def request_not_sent(self) -> None:
        """A request to a service wasn't sent: too many were waiting for answers on the link already."""

    def notice_answered(self, link: LinkInfo, notice: CallEnded | DataChanged) -> None:
        """A service has answered what it was told of a call, by whatever."""

    def request_answered(
        self, link: LinkInfo, request: Message, status: int, serial: str = "", reason: str = ""
    ) -> None:
        """A request was answered.

        :param serial: that of the call that it made, where it named none itself.
        """

    # ------------------------------------------------------------ agents

    def agent_over_limit(self) -> None:
        """An AgentLogin was answered 14: too many agent numbers of its link, or its identity."""

    def agent_taken_over(self, link: LinkInfo, agent: str) -> None:
        """Another link has logged the agent number in; this one had it."""

    def agent_event_sent(self) -> None:
        """An event was written to its agent."""

    def agent_events_acknowledged(self, count: int) -> None:
        """So many have left a mailbox since their agent has them."""

    def agent_events_expired(self, agent: str, count: int) -> None:
        """So many were dropped from a mailbox unacknowledged: the agent sees a gap at its next login."""

    # ------------------------------------------------------------ calls

    def call_refused(self, status: Status) -> None:
        """A ConnectRequest was refused."""

    def update_refused(self, status: Status) -> None:
        """An UpdateRequest was refused for what would come of it."""

    def call_committed(self) -> None:
        """A ConnectRequest's call is committed."""

    def call_offered(self, call: Call, owner: str, session: IServiceSession | None) -> None:
        """The Connection goes out: this owner's sessions may fetch the data from now on."""

    def call_accepted(self, call: Call, session: IServiceSession | None) -> None:
        """The service has accepted the Connection."""

    def offer_refused(self, call: Call, session: IServiceSession, status: int | None) -> None:
        """A session refused the Connection, or (None) was lost before it answered; another one may be tried."""

    def data_fetched(self) -> None:
        """A service has the data of a call, for the first time."""

    def data_refused(self) -> None:
        """A DataRequest was refused."""

    def data_asked_here(self, identity: Identity, serial: str, refused: Status | None, reason: str) -> None:
        """A service of this process asked for the data; ``refused`` is None when it was given."""

    def report_committed(self, call: Call, condition: Condition, final: bool) -> None:
        """A ServiceEvent is committed; a final one ends the service's part of the call."""

    def report_refused(self, status: Status) -> None:
        """A ServiceEvent was refused; 43: it had been committed before."""

    def customer_returned(self, call: Call) -> None:
        """The driver saw the customer return to the agent."""

    def call_ended(self, call: Call, condition: Condition, status: Status) -> None:
        """A call is over without a result of its service."""

    def call_forgotten(self, call: Call) -> None:
        """A closed call isn't known any more; its serial may be used again."""


EVENTS = frozenset(name for name, _ in getmembers(Observer, isfunction) if not name.startswith("_"))
"""The names of all events."""


class Observers(Observer):
    """Tells each event to the listeners that want it: one that nobody wants costs a call that does nothing."""

    def __init__(self, listeners: Iterable[Observer] = ()) -> None:
        heard: dict[str, list[Callable[..., None]]] = {}
        for listener in listeners:
            for name in EVENTS:
                if getattr(type(listener), name) is not getattr(Observer, name):
                    heard.setdefault(name, []).append(getattr(listener, name))
        self._heard = frozenset(heard)
        for name, methods in heard.items():
            setattr(self, name, methods[0] if len(methods) == 1 else _all_of(tuple(methods)))

    def hears(self, event: Callable[..., None]) -> bool:
        """Whether anybody wants this event: ``hears(Observer.request_answered)``."""
        return event.__name__ in self._heard


def _all_of(methods: tuple[Callable[..., None], ...]) -> Callable[..., None]:
    def tell(*told: Any, **named: Any) -> None:
        for method in methods:
            method(*told, **named)

    return tell


NO_OBSERVERS = Observers()
"""For what nobody listens to."""
