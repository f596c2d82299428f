"""Assigning to a value is an error of the type checker; ``make types`` reads this file, and nobody runs it.

Where one were no error, its ``type: ignore`` would be one that isn't used, which is an error too.
"""

from __future__ import annotations

from ctiex.interfaces import Frame, Offer, Signalled
from ctiex.messages import Bind, OpenCall
from ctiex.records import Call, Change, StoredEvent


def changes(bind: Bind, open_call: OpenCall, call: Call, change: Change, event: StoredEvent) -> None:
    """Messages and records."""
    bind.identity = "other"  # type: ignore[misc]
    open_call.since = 1  # type: ignore[misc]
    call.owner = "other"  # type: ignore[misc]
    change.calls = ()  # type: ignore[misc]
    event.sequence = 1  # type: ignore[misc]


def changes_of_plugins(frame: Frame, offer: Offer, signalled: Signalled) -> None:
    """What codecs, carriers and drivers are given."""
    frame.kind = 1  # type: ignore[misc]
    offer.serial = "1"  # type: ignore[misc]
    signalled.calling_number = "1"  # type: ignore[misc]
