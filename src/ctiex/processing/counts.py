"""What happened so far, as plain integers: cheap to count, read by whoever exports metrics."""

from __future__ import annotations

from attrs import define


@define
class Counts:
    """Counters since the start, and nothing else; every one only grows."""

    links_opened: int = 0
    links_bound: int = 0
    binds_refused: int = 0
    links_evicted: int = 0
    """Cut off for output that they didn't read."""
    links_silent: int = 0
    """Cut off for missing signs of life, or for no Bind in time."""
    frames_refused: int = 0
    """Frames answered with Error."""
    requests_over_limit: int = 0
    """Requests answered 14: too many in flight on a link (counted when it ends), or too many calls."""
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
    """Dropped from a mailbox unacknowledged: the agent is told a gap at its next login."""
    store_failures: int = 0
