"""What may be held and done, and for whom; how long a call may stay in each state. Each is declared here alone."""

from __future__ import annotations

from attrs import define, frozen

from ctiex.settings import Count, EndLength, Seconds


@frozen
class Timeouts:
    """How long a call of one service may stay in each state, in seconds."""

    signalling: float = 30.0
    fetch: float = 120.0
    service: float = 3_600.0
    return_: float = 60.0
    """From the final result until the customer is back (drivers that see the call)."""
    keep_closed: float = 600.0


@define(kw_only=True)
class Limits:
    """``[limits]``: what may be held and done, and for whom.

    The one place where a limit is declared, with its check and its default. It is read whenever something is held
    against it, so that changing an attribute changes the limit from then on. docs/limits.rst says of each whom it
    bounds, how the default comes about, what the peer hears, which metric tells of it and which test meets it.
    """

    links_per_identity: Count = 4_096
    links_per_source: Count = 4_096
    """Links from one address, the /64 of an IPv6 one."""
    unbound_links_per_source: Count = 256
    unbound_links: Count = 10_000
    """Links without a Bind, from everywhere."""
    connections_per_second_per_source: Count = 500
    """Connections to the links, and with each a TLS handshake and a Bind; up to twice as many come at once."""
    frames_per_second_per_identity: Count = 50_000
    """What one identity may have handled on all of its links, or one source on all that aren't bound: more waits."""
    login_failures: Count = 10
    """Different refused logins of one source until it is locked out."""
    lock_out: Seconds = 300
    login_delay: Seconds = 5
    """The longest that a refusal waits."""
    calls_per_identity: Count = 100_000
    """Calls not closed yet that one identity's agents may have."""
    calls_per_agent: Count = 100
    """Calls not closed yet of one agent number."""
    calls_per_service: Count = 100_000
    """Calls not closed yet of one service."""
    records_per_identity: Count = 1_000_000
    """Calls that one identity's agents may have, those closed and not forgotten yet included."""
    agents_per_identity: Count = 100_000
    """Agent numbers brought by one identity that are logged in, have open calls, or ever had an event."""
    agents_per_link: Count = 10_000
    """Agent numbers that may be logged in on one link."""
    fields_per_message: Count = 1_024
    """Fields of a ConnectRequest or a ServiceEvent."""
    events_per_call: Count = 1_000
    """Service events that one call may have, for the final one there is always room."""
    mailbox: Count = 1_000
    """Events that one agent's mailbox holds, room reserved for ends included."""
    mailbox_ttl: Seconds = 86_400
    """How long an event waits to be acknowledged, in seconds."""
    mailbox_bytes: Count = 4_194_304
    """What one agent's mailbox holds, room for ends included."""
    end_bytes: EndLength = 2_048
    """The room that each open call keeps for its end: a final result of that size is always taken."""
    bytes_per_identity: Count = 1_073_741_824
    """What one identity's calls, their data and their agents' mailboxes hold, room for ends included."""
    bytes_in_all: Count = 2_147_483_648
    """The same of all identities."""
    monitoring_connections: Count = 64
    """Connections to the port of metrics and health, half of them from one source."""
    audited_refusals_per_second: Count = 20
    """Records of refusals in the audit log, of one identity, or of one source before a Bind; more are counted."""
