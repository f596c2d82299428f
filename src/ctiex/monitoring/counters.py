"""What happened so far, as plain integers: cheap to count, read by the metrics."""

from __future__ import annotations

from attrs import define


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

    def turned_away(self, name: str) -> None:
        """Count a connection that was closed at once; ``name`` is that of its counter."""
        setattr(self, name, getattr(self, name) + 1)
