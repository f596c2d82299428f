"""What may be held and done, and for whom; how long a call may stay in each state.

Each is declared here alone, with its check and its default; the configuration contains these classes. A limit is read
whenever something is held against it, so that changing an attribute changes the limit from then on.
"""

from __future__ import annotations

from typing import Annotated

from attrs import define, frozen

from ctiex.messages import DEFAULT_MAX_FRAME, LEAST_MAX_FRAME, MOST_MAX_FRAME
from ctiex.settings.checks import Check, Count, EndLength, Seconds, is_time, is_whole

Heartbeat = Annotated[
    float,
    Check("a whole number of seconds from 1 to 65535", lambda value: is_whole(value) and 1 <= value <= 0xFFFF),
]
FrameLength = Annotated[
    int,
    Check(
        f"a whole number from {LEAST_MAX_FRAME} to {MOST_MAX_FRAME}",
        lambda value: is_whole(value) and LEAST_MAX_FRAME <= value <= MOST_MAX_FRAME,
    ),
]

PlainSecrets = Annotated[str, Check('"refused" or "allowed"', lambda value: value in ("refused", "allowed"))]


Grace = Annotated[
    float, Check("a number of seconds, 0 or more", lambda value: (value == 0 or is_time(value)) and value <= 86_400)
]


@frozen(kw_only=True)
class Timeouts:
    """How long a call of one service may stay in each state, in seconds; keys of ``[services.NAME]``."""

    signalling_timeout: Seconds = 30
    rebind_grace: Grace = 3
    """How long an offer waits for a session where none is left to try."""
    fetch_timeout: Seconds = 120
    service_timeout: Seconds = 3_600
    return_timeout: Seconds = 60
    """From the final result until the customer is back, with a driver that sees the call."""
    keep_closed: Seconds = 600


@define(kw_only=True)
class SessionLimits:
    """What one link may use; keys of ``[links.agent]`` and ``[links.ivr]``."""

    heartbeat: Heartbeat = 30
    """After so many seconds of silence a Ping goes out; two unanswered ones end the link."""
    login_deadline: Seconds = 10
    """How long the other side may take to Bind, in seconds."""
    max_frame: FrameLength = DEFAULT_MAX_FRAME
    """The limit on the value of a frame's length; for a session, that at its Bind."""
    max_in_flight: Count = 1_024
    """Requests of a client that may wait for their replies."""
    max_queued: Count = 100_000
    """Requests of the exchange that may wait for their replies; those of a client that may wait to go out."""
    max_unread: Count = 1_048_576
    """Output that the other side may leave unread, in bytes; beyond it the link ends."""
    frames_per_second: Count = 20_000
    """Frames of the other side: requests beyond are answered 14, twice as many end the link."""
    bytes_per_second: Count = 33_554_432
    """Bytes of the other side: more end the link."""
    plain_secrets: PlainSecrets = "refused"
    """Whether a secret is taken over plain TCP from beyond loopback."""


@define(kw_only=True)
class Limits:
    """``[limits]``: what may be held and done, and for whom.

    docs/limits.rst says of each whom it bounds, how the default comes about, what the peer hears, which metric tells of
    it and which test meets it.
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
    """Fields of a ConnectRequest or a ServiceEvent, and of a call behind an UpdateRequest."""
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
