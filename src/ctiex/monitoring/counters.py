"""What happened so far, as plain integers: cheap to count, read by the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define

from ctiex.errors import Status
from ctiex.messages import Condition
from ctiex.monitoring.observer import LinkInfo, Observer
from ctiex.records import Call


@define
class Counters:
    """Counters since the start, and nothing else; every one only grows."""

    links_opened: int = 0
    tls_refused: int = 0
    """Connections that failed in their TLS handshake: no certificate, an invalid one, no TLS at all."""
    links_bound: int = 0
    binds_refused: int = 0
    plain_secrets_refused: int = 0
    """Binds answered 11 unread: over plain TCP from beyond loopback."""
    logins_locked_out: int = 0
    """Binds answered 14 unread: their source had failed too often."""
    logins_over_limit: int = 0
    """Binds answered 14: too many secrets were waiting to be hashed."""
    sources_locked_out: int = 0
    """How often a source was locked out."""
    links_over_identity_limit: int = 0
    """Binds answered 14: too many links of their identity."""
    links_over_source_limit: int = 0
    """Connections closed at once: too many links from their source."""
    unbound_links_over_source_limit: int = 0
    """Connections closed at once: too many unbound links from their source."""
    unbound_links_over_limit: int = 0
    """Connections closed at once: too many unbound links."""
    connections_too_fast: int = 0
    """Connections closed at once: too many in a second from their source."""
    connections_without_descriptor: int = 0
    """Connections closed at once, at any port: too few file descriptors were left."""
    monitoring_over_limit: int = 0
    """Connections to the port of metrics and health that were closed at once."""
    links_evicted: int = 0
    """Closed because they didn't read their output."""
    links_flooding: int = 0
    """Closed for more frames or bytes in a second than a link may send."""
    turns_used_up: int = 0
    """Times that an identity's, or an unbound source's, links had more to handle than its share of a turn."""
    rates_used_up: int = 0
    """Times that they had to wait, since its share of a second was used up."""
    links_silent: int = 0
    """Closed because they were silent, or weren't bound in time."""
    frames_refused: int = 0
    """Frames answered with Error."""
    requests_over_limit: int = 0
    """Requests answered 14: over a limit of their link, or of their identity, agent number or service."""
    requests_not_sent: int = 0
    """Requests to services that weren't sent: too many were waiting for answers on the link already."""
    calls_kept: int = 0
    calls_refused: int = 0
    calls_fetched: int = 0
    data_refused: int = 0
    calls_reported: int = 0
    calls_unreachable: int = 0
    calls_timed_out: int = 0
    calls_cancelled: int = 0
    calls_hung_up: int = 0
    service_events_kept: int = 0
    service_events_repeated: int = 0
    service_events_refused: int = 0
    agent_events_sent: int = 0
    agent_events_acknowledged: int = 0
    agent_events_expired: int = 0
    """Dropped from a mailbox unacknowledged: the agent sees a gap at its next login."""
    store_failures: int = 0
    """Changes that the store failed to commit."""
    store_probes_failed: int = 0
    """Failed probes of a store that had failed before."""
    audit_failures: int = 0
    """Times that the audit log could not be written."""
    audit_refusals_left_out: int = 0
    """Refusals without a record of their own: the next record of the same identity, or source, tells how many."""
    audit_records_lost: int = 0
    """Records of the audit log that were dropped while it could not be written."""


COUNTED_BY = {
    "tls_refused": "tls_refused",
    "link_opened": "links_opened",
    "source_locked_out": "sources_locked_out",
    "link_bound": "links_bound",
    "link_silent": "links_silent",
    "monitoring_refused": "monitoring_over_limit",
    "turn_used_up": "turns_used_up",
    "rate_used_up": "rates_used_up",
    "frame_refused": "frames_refused",
    "request_over_limit": "requests_over_limit",
    "agent_over_limit": "requests_over_limit",
    "request_not_sent": "requests_not_sent",
}
"""By event: the counter that it counts up, where that is all that it does."""
_LIMITS = (Status.TOO_BUSY, Status.MORE_THAN_ALLOWED)
"""How what passes a limit is answered."""
_COUNTED_AS = {
    Condition.CANCELLED: "calls_cancelled",
    Condition.UNREACHABLE: "calls_unreachable",
    Condition.TIMED_OUT: "calls_timed_out",
}


class CounterListener(Observer):
    """Counts what happens: by the table above, or by a method of its own."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def _count(self, counter: str) -> None:
        setattr(self._counters, counter, getattr(self._counters, counter) + 1)

    def connection_refused(self, link: LinkInfo | None, reason: str, counter: str, source: str = "") -> None:
        """By its reason."""
        self._count(counter)

    link_cut = connection_refused

    def bind_refused(
        self, link: LinkInfo, claimed: str, status: Status, reason: str, in_floods: bool, counter: str
    ) -> None:
        """Some by their reason, too."""
        self._counters.binds_refused += 1
        if counter:
            self._count(counter)

    def store_failed(self, probed: bool) -> None:
        """Probes apart."""
        self._count("store_probes_failed" if probed else "store_failures")

    # Without a look-up by name: there are as many of these as of calls, or anybody may bring them about.

    def call_committed(self) -> None:
        """One more."""
        self._counters.calls_kept += 1

    def data_fetched(self) -> None:
        """One more."""
        self._counters.calls_fetched += 1

    def data_refused(self) -> None:
        """One more."""
        self._counters.data_refused += 1

    def agent_event_sent(self) -> None:
        """One more."""
        self._counters.agent_events_sent += 1

    def agent_events_acknowledged(self, count: int) -> None:
        """So many."""
        self._counters.agent_events_acknowledged += count

    def agent_events_expired(self, agent: str, count: int) -> None:
        """So many."""
        self._counters.agent_events_expired += count

    def call_refused(self, status: Status) -> None:
        """A limit is counted as such, too."""
        self._counters.calls_refused += 1
        self._counters.requests_over_limit += status in _LIMITS

    def update_refused(self, status: Status) -> None:
        """A limit is counted as such."""
        self._counters.requests_over_limit += status in _LIMITS

    def report_refused(self, status: Status) -> None:
        """One that was committed before is counted apart; a limit as such, too."""
        self._count("service_events_repeated" if status is Status.DUPLICATE_EVENT else "service_events_refused")
        self._counters.requests_over_limit += status in _LIMITS

    def report_committed(self, call: Call, condition: Condition, final: bool) -> None:
        """A final one is a call's result."""
        self._counters.service_events_kept += 1
        self._counters.calls_reported += final

    def call_ended(self, call: Call, condition: Condition, status: Status) -> None:
        """By its condition; any other means that the customer hung up."""
        self._count(_COUNTED_AS.get(condition, "calls_hung_up"))


def _counts(counter: str) -> Callable[..., None]:
    slot: Any = getattr(Counters, counter)
    read, write = slot.__get__, slot.__set__  # twice as fast as by name

    def count(listener: CounterListener, *told: Any, **named: Any) -> None:
        counters = listener._counters
        write(counters, read(counters) + 1)

    return count


for _event, _counter in COUNTED_BY.items():
    setattr(CounterListener, _event, _counts(_counter))
