"""What is known of the channels of an Asterisk: their legs, and what is beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from types import MappingProxyType
from typing import Any

from ctiex.interfaces.call_platform import CallOut, DestinationKind, Leg, LegPlace, PlatformEvent, Supervise
from ctiex.telephony.asterisk.call_actions import SET_BY_DIALPLAN
from ctiex.telephony.asterisk.leg_facts import HIDDEN, Channel
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.telephony.leg_model import LegModel


class LegBook:
    """The legs, and the channels behind them."""

    def __init__(
        self,
        settings: AsteriskSettings,
        changed: Callable[[Leg], None],
        happened: Callable[[PlatformEvent], None],
    ) -> None:
        self.legs = LegModel()
        self.channels: dict[str, Channel] = {}
        """By id: those of the legs, and those without a device."""
        self.called: dict[str, CallOut] = {}
        """The orders to call whose devices haven't answered yet."""
        self.bound: set[str] = set()
        """The legs that fall back into their desks."""
        self.recorders: dict[str, str] = {}
        """The ids of the channels that record, with the leg that each hears."""
        self.paused: set[str] = set()
        """The legs whose recording goes on later."""
        self.touched: set[str] = set()
        """The ids of legs of which something is different, or of a leg for them, since this was emptied last."""
        self._settings = settings
        self._changed = changed
        self._happened = happened
        self._named: dict[str, str] = {}
        """The ids of channels without a device, by name: the two halves of one have the same but for their ends."""

    def __len__(self) -> int:
        kept: tuple[Sized, ...] = (
            self.legs, self.channels, self.called, self.bound, self.recorders, self.paused, self._named,
        )  # fmt: skip
        return sum(map(len, kept))

    def change(self, id: str, **changes: Any) -> None:
        """Something of a leg is different; whoever listens is told."""
        leg, channel = self.legs.leg(id), self.channels.get(id)
        if leg is None or channel is None:
            return
        self.touched.add(leg.desk)
        if self.legs.change(leg, **changes) | self._bind(leg) and not channel.untold:
            self.touched.update((leg.id, leg.desk))
            self._changed(leg)

    def settle(self, id: str, **changes: Any) -> None:
        """The same while nobody is told, as long as a snapshot is read."""
        leg = self.legs.leg(id)
        if leg is not None:
            self.legs.change(leg, **changes)
            self._bind(leg)

    def news(
        self, id: str, variables: Mapping[str, str], unset: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, str]:
        """Those of these variables that a channel wasn't told yet with these values; now it is.

        :param unset: what some are as long as nobody has set them.
        """
        channel = self.channels.get(id)
        if channel is None:
            return dict(variables)
        now = {**unset, **channel.told}
        news = {key: value for key, value in variables.items() if now.get(key) != value}
        channel.told.update({key: value for key, value in news.items() if key not in SET_BY_DIALPLAN})
        return news

    def agent_of(self, name: str, variables: Mapping[str, str]) -> str:
        """The agent number of a channel."""
        return self._settings.agent_of(name) or variables.get("CTIEX_AGENT", "")

    def name_of(self, id: str) -> str:
        """The name of a channel, by which the dialplan finds it; empty where there is none.

        Never its id: what Asterisk's applications find by an id may as well be another channel, whose id only begins
        so (``1700000000.1`` and ``1700000000.11``). Names end in a fixed number of digits.
        """
        channel = self.channels.get(id)
        return "" if channel is None else channel.name

    def _bind(self, leg: Leg) -> bool:
        if leg.place is LegPlace.DESK:
            self.bound.add(leg.id)
        return self.legs.change(leg, at_desk=leg.id in self.bound and leg.place is not LegPlace.CONFERENCE)

    def is_hidden(self, name: str) -> bool:
        """Whether a channel has no device, and is no leg."""
        return name.startswith(HIDDEN) and not (self._settings.customers and self._settings.is_customer(name))

    def add(self, channel: Channel, leg: Leg | None) -> None:
        """There is another channel."""
        self.channels[channel.id] = channel
        if leg is None:
            self._named[channel.name] = channel.id
        else:
            self.legs.put(leg)

    def recorders_of(self, leg: str) -> list[str]:
        """The channels that record a leg."""
        return [spy for spy, heard in self.recorders.items() if heard == leg]


def describe(leg: Leg, out: CallOut) -> None:
    """A leg that was ordered is what the order says."""
    leg.call, leg.desk, leg.outbound = out.call, out.desk, True
    if isinstance(out.on_answer, Supervise):
        leg.supervised, leg.supervision = out.on_answer.leg, out.on_answer.how
    if out.destination.kind is DestinationKind.AGENT:
        leg.agent = leg.number = leg.agent or out.destination.name
    else:
        leg.number = out.destination.name
