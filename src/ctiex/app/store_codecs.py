"""A durable store keeps encoded bodies: it remembers by which codecs, and they stay while it holds any."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.errors import ConfigurationError
from ctiex.processing.states import TRANSITIONS, Step
from ctiex.records import Change
from ctiex.stores.index import CallIndex

AGENT_CODEC = "agent codec"
IVR_CODEC = "ivr codec"
"""The labels in the store: events are encoded for agents, the data of calls for services."""


def codecs_to_keep(store: CallIndex, agent_codec: str, ivr_codec: str) -> Change:
    """The change that makes an opened store remember the codecs it is used with from now on; maybe an empty one.

    :raise ConfigurationError: it holds bodies that were encoded by another codec.
    """
    wanted = {AGENT_CODEC: agent_codec, IVR_CODEC: ivr_codec}
    found = {name: store.metadata(name) for name in wanted}
    wrong = {name for name in wanted if found[name] not in (None, wanted[name])}
    held = ", ".join(_held(store)) if wrong else ""
    if held:
        name = min(wrong)
        raise ConfigurationError(
            f"[links.{name.partition(' ')[0]}] codec: found {wanted[name]!r}, but the store holds {held},"
            f" used with {found[name]!r}. Set codec = {found[name]!r} again until the calls have ended and the agents"
            " have fetched their events, or start with a new store"
        )
    return Change(metadata=tuple((name, wanted[name]) for name in wanted if found[name] != wanted[name]))


def _held(store: CallIndex) -> Iterator[str]:
    """What is encoded in the store, in words."""
    open_calls = sum((call.state, Step.END) in TRANSITIONS for call in store.calls())
    if open_calls:
        yield f"{open_calls} open call{'s' if open_calls > 1 else ''}"
    events = sum(store.pending(agent) for agent in store.agents())
    if events:
        yield f"{events} waiting event{'s' if events > 1 else ''}"
