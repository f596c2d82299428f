"""The legs of an Asterisk, kept from the events of its manager interface.

A channel without a device (``Local/...``) is no leg: it is only remembered by whom it was dialled, since who is dialled
through it was dialled by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctiex.interfaces.call_platform import (
    AttendedTransferSeen,
    BlindTransferSeen,
    DialFailed,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    RecordingState,
)
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.leg_book import LegBook, describe
from ctiex.telephony.asterisk.leg_facts import (
    Channel,
    cause_of,
    is_by_platform,
    is_recorder,
    number_of,
    state_of,
    status_of,
    where,
)

_DEPTH = 8
"""Through how many channels without a device somebody may dial."""
_DOWN = "0"


class AsteriskLegs(LegBook):
    """The legs, and the channels behind them, as events tell of them."""

    def take(self, event: AmiMessage) -> None:
        """Something has happened."""
        do = _EVENTS.get(event.event)
        if do is not None:
            do(self, event)

    # ------------------------------------------------------------ a channel's life

    def _new(self, event: AmiMessage) -> None:
        id, name = event["Uniqueid"], event["Channel"]
        if id in self.channels:  # a snapshot was quicker
            return
        channel = Channel(id, name, self.called.get(id))
        if self.is_hidden(name):
            self.add(channel, None)
            return
        leg = Leg(id, id, self._settings.agent_of(name), outbound=event["ChannelState"] == _DOWN)
        if channel.called is not None:
            describe(leg, channel.called)
        else:
            channel.untold = leg.outbound
            leg.number = leg.agent or ("" if leg.outbound else number_of(event))
        self.add(channel, leg)
        if not channel.untold:
            self._changed(leg)

    def _renamed(self, event: AmiMessage) -> None:
        channel = self.channels.get(event["Uniqueid"])
        if channel is not None:
            if self._named.get(channel.name) == channel.id:
                del self._named[channel.name]
                self._named[event["Newname"]] = channel.id
            channel.name = event["Newname"]

    def _stated(self, event: AmiMessage) -> None:
        state = state_of(event)
        if state is LegState.CONNECTED:
            self.called.pop(event["Uniqueid"], None)
        if state is not None:
            self._told_state(event["Uniqueid"], state)

    def _told_state(self, id: str, state: LegState) -> None:
        channel, leg = self.channels.get(id), self.legs.leg(id)
        if channel is not None and leg is not None and leg.state is not LegState.CONNECTED:
            channel.rang = channel.rang or state is LegState.ALERTING
            self.change(id, state=state)

    def _numbered(self, event: AmiMessage) -> None:
        """A caller's own dialplan may put their number right, before they are connected; ours changes it later."""
        channel, leg = self.channels.get(event["Uniqueid"]), self.legs.leg(event["Uniqueid"])
        if channel is not None and leg is not None and not (leg.outbound or leg.agent or channel.was_bridged):
            self.change(leg.id, number=number_of(event))

    def _requested(self, event: AmiMessage) -> None:
        channel = self.channels.get(event["Uniqueid"])
        if channel is not None:
            channel.requested = True

    def _gone(self, event: AmiMessage) -> None:
        id, cause = event["Uniqueid"], cause_of(event)
        channel, leg = self.channels.pop(id, None), self.legs.remove(id)
        self.bound.discard(id)
        if channel is None:
            return
        if self._named.get(channel.name) == id:
            del self._named[channel.name]
        if leg is None:
            self._recorded(id)
            return
        self.paused.discard(id)
        self.touched.update((id, leg.desk))
        if not channel.untold:
            self._happened(LegGone(id, cause, is_by_platform(leg, channel, cause)))
        if self.called.pop(id, None) is not None:
            self._happened(DialFailed(id, status_of(cause, channel.rang), cause))

    # ------------------------------------------------------------ who dials whom

    def _dialled(self, event: AmiMessage) -> None:
        id = event["DestUniqueid"]
        channel, leg = self.channels.get(id), self.legs.leg(id)
        if channel is None or channel.called is not None:
            return
        channel.dialled_by = event["Uniqueid"]
        if leg is None:
            return
        by = self.legs.leg(self._device_of(channel.dialled_by))
        changes: dict[str, Any] = {} if by is None else {"dialled_by": by.id, "call": by.call}
        if not leg.agent:
            changes["number"] = number_of(event, "DestCallerIDNum")
        self.legs.change(leg, **changes)
        channel.untold = False
        self._changed(leg)

    def _device_of(self, id: str) -> str:
        """The leg that a channel dials for: itself, or who dials it, through channels without a device."""
        for _ in range(_DEPTH):
            channel = self.channels.get(id)
            if channel is None or self.legs.leg(id) is not None:
                break
            if not channel.dialled_by and channel.name.endswith(";2"):
                id = self._named.get(f"{channel.name[:-1]}1", "")
            else:
                id = channel.dialled_by
        return id

    def _progressed(self, event: AmiMessage) -> None:
        if event["DialStatus"] in ("RINGING", "PROGRESS"):
            self._told_state(event["DestUniqueid"], LegState.ALERTING)

    def _originated(self, event: AmiMessage) -> None:
        """A device that there was never a channel of wasn't reached either."""
        id = event["Uniqueid"]
        if event["Response"] == "Failure" and id not in self.channels and self.called.pop(id, None) is not None:
            self._happened(DialFailed(id, status_of(0, False)))

    # ------------------------------------------------------------ where it is

    def _entered(self, event: AmiMessage) -> None:
        channel = self.channels.get(event["Uniqueid"])
        if channel is not None:
            channel.was_bridged, channel.untold = True, False
            channel.bridge = event["BridgeUniqueid"]
            self.change(channel.id, **where(event, channel))

    def _left(self, event: AmiMessage) -> None:
        leg, channel = self.legs.leg(event["Uniqueid"]), self.channels.get(event["Uniqueid"])
        if channel is not None and channel.bridge == event["BridgeUniqueid"]:
            channel.bridge = ""
        bridge = event["BridgeName"] if event["BridgeCreator"] == "ConfBridge" else event["BridgeUniqueid"]
        if leg is not None and leg.bridge == bridge:
            self.change(leg.id, bridge="", place=LegPlace.SERVICE if leg.service else LegPlace.NOWHERE)

    def _queued(self, event: AmiMessage) -> None:
        self.change(event["Uniqueid"], place=LegPlace.QUEUE, queue=event["Queue"])

    def _unqueued(self, event: AmiMessage) -> None:
        leg = self.legs.leg(event["Uniqueid"])
        if leg is not None and leg.place is LegPlace.QUEUE:
            self.change(leg.id, place=LegPlace.NOWHERE)

    def _told(self, event: AmiMessage) -> None:
        """Our dialplan tells what it does by itself."""
        if event["UserEvent"] == "ctiex-leg" and event["Phase"] == "parted":
            self.change(event["Uniqueid"], desk=event["Desk"])
        elif event["UserEvent"] == "ctiex" and event["Phase"] != "hold":
            self._handed_over(event)

    def _handed_over(self, event: AmiMessage) -> None:
        channel = self.channels.get(event["Uniqueid"])
        if channel is None:
            return
        channel.phase = event["Phase"]
        if channel.phase == "astray":
            self.change(channel.id, service="", place=LegPlace.NOWHERE)
        else:
            self.change(channel.id, service=event["Serial"], place=LegPlace.SERVICE)

    def _held(self, event: AmiMessage) -> None:
        self.change(event["Uniqueid"], held_at_phone=event.event == "Hold")

    # ------------------------------------------------------------ who hears whom

    def _hears(self, event: AmiMessage) -> None:
        spy, heard = event["SpyerUniqueid"], event["SpyeeUniqueid"]
        channel = self.channels.get(spy)
        if self.legs.leg(spy) is not None:
            self.change(spy, place=LegPlace.SUPERVISION, supervised=heard)
        elif channel is not None and is_recorder(channel.name):
            self.recorders[spy] = heard
            self.paused.discard(heard)
            self.change(heard, recording=RecordingState.ON)

    def _hears_no_more(self, event: AmiMessage) -> None:
        spy = event["SpyerUniqueid"]
        leg = self.legs.leg(spy)
        if leg is not None and leg.place is LegPlace.SUPERVISION:
            self.change(leg.id, place=LegPlace.NOWHERE)
        self._recorded(spy)

    def _recorded(self, spy: str) -> None:
        heard = self.recorders.pop(spy, "")
        if heard and heard not in self.recorders.values():
            self.change(heard, recording=RecordingState.PAUSED if heard in self.paused else RecordingState.OFF)

    # ------------------------------------------------------------ what telephones do by themselves

    def _transferred(self, event: AmiMessage) -> None:
        if event["Result"] == "Success":
            leg, by = event["TransfereeUniqueid"], event["TransfererUniqueid"]
            self._happened(BlindTransferSeen(leg, by, event["Extension"]))

    def _transferred_attended(self, event: AmiMessage) -> None:
        if event["Result"] == "Success":
            by, leg = event["OrigTransfererUniqueid"], event["TransfereeUniqueid"]
            nobody = {by, event["SecondTransfererUniqueid"]}
            leg = leg or self._other_in(event["OrigBridgeUniqueid"], nobody)
            other = event["TransferTargetUniqueid"]  # not always told, if the bridges have become one quickly
            for bridge in ("SecondBridgeUniqueid", "DestBridgeUniqueid"):
                other = other or self._other_in(event[bridge], {*nobody, leg})
            self._happened(AttendedTransferSeen(leg, self._dialled_through(other), by))

    def _other_in(self, bridge: str, than: set[str]) -> str:
        """Who is in a bridge beside somebody."""
        channels = self.channels.values()
        return next((one.id for one in channels if bridge and one.bridge == bridge and one.id not in than), "")

    def _dialled_through(self, id: str) -> str:
        """The leg behind a channel, which may have no device itself."""
        channel = self.channels.get(id)
        if channel is None or self.legs.leg(id) is not None:
            return id
        other = self._named.get(f"{channel.name[:-1]}2", "")
        return next((one.id for one in self.channels.values() if other and one.dialled_by == other), id)


_EVENTS: dict[str, Callable[[AsteriskLegs, AmiMessage], None]] = {
    "Newchannel": AsteriskLegs._new,
    "Rename": AsteriskLegs._renamed,
    "Newstate": AsteriskLegs._stated,
    "NewCallerid": AsteriskLegs._numbered,
    "HangupRequest": AsteriskLegs._requested,
    "Hangup": AsteriskLegs._gone,
    "DialBegin": AsteriskLegs._dialled,
    "DialState": AsteriskLegs._progressed,
    "OriginateResponse": AsteriskLegs._originated,
    "BridgeEnter": AsteriskLegs._entered,
    "BridgeLeave": AsteriskLegs._left,
    "QueueCallerJoin": AsteriskLegs._queued,
    "QueueCallerLeave": AsteriskLegs._unqueued,
    "UserEvent": AsteriskLegs._told,
    "Hold": AsteriskLegs._held,
    "Unhold": AsteriskLegs._held,
    "ChanSpyStart": AsteriskLegs._hears,
    "ChanSpyStop": AsteriskLegs._hears_no_more,
    "BlindTransfer": AsteriskLegs._transferred,
    "AttendedTransfer": AsteriskLegs._transferred_attended,
}
