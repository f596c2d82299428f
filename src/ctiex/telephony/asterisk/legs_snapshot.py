"""The legs of an Asterisk at one moment, from the answers to ``BridgeList``, ``Status`` and ``QueueStatus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ctiex.interfaces.call_platform import Leg, LegPlace, LegState, RecordingState
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.leg_facts import (
    Channel,
    is_recorder,
    number_of,
    remembered,
    state_of,
    supervision_of,
    where,
)
from ctiex.telephony.asterisk.legs import AsteriskLegs

_DIALLED, _DIALLING, _LISTENING = ("AppDial", "AppDial2"), ("Dial", "Queue"), "ChanSpy"


class LegsSnapshot:
    """Takes the lists event by event, and fills new legs from them."""

    def __init__(self, legs: AsteriskLegs) -> None:
        self.legs = legs
        self._bridges: dict[str, AmiMessage] = {}
        self._dialled: list[tuple[Leg, str, str]] = []
        """Who was dialled, with the id that linked channels have in common, and their bridge."""
        self._dialling: dict[str, list[tuple[Leg, str]]] = {}
        """By the id that linked channels have in common, who dials, with their bridge."""

    def take(self, event: AmiMessage) -> None:
        """One event of a list."""
        match event.event:
            case "BridgeListItem":
                self._bridges[event["BridgeUniqueid"]] = event
            case "Status":
                self._take_channel(event)
            case "QueueEntry":
                self.legs.settle(event["Uniqueid"], place=LegPlace.QUEUE, queue=event["Queue"])

    def finish(self) -> Iterator[None]:
        """The list of the channels has ended: see who dials whom, a leg in each step."""
        for leg, linked_id, in_bridge in self._dialled:
            linked = self._dialling.get(linked_id, [])
            by = [one for one, bridge in linked if bridge == in_bridge] or [one for one, _ in linked]
            if len(by) == 1 and not leg.dialled_by:
                self.legs.settle(leg.id, dialled_by=by[0].id, call=by[0].call)
            yield
        for heard in self.legs.recorders.values():
            self.legs.settle(heard, recording=RecordingState.ON)
            yield
        self._dialled.clear()
        self._dialling.clear()

    def _take_channel(self, row: AmiMessage) -> None:
        variables = row.variables()
        phase = variables.get("CTIEX_PHASE", "")
        channel = Channel(row["Uniqueid"], row["Channel"], bridge=row["BridgeID"], was_bridged=True, phase=phase)
        if variables.get("CTIEX_PHONE_HOLD"):
            channel.told["CTIEX_PHONE_HOLD"] = variables["CTIEX_PHONE_HOLD"]
        if self.legs.is_hidden(channel.name):
            self.legs.add(channel, None)
            self._take_recorder(channel, row, variables)
            return
        leg = self._leg_of(channel, row, variables)
        self.legs.add(channel, leg)
        if variables.get("CTIEX_AT_DESK") == "yes":
            self.legs.bound.add(leg.id)
        self.legs.settle(leg.id)
        self._note_dialling(leg, row)

    def _take_recorder(self, channel: Channel, row: AmiMessage, variables: dict[str, str]) -> None:
        heard = variables.get("CTIEX_RECORDED", "")
        if heard and is_recorder(channel.name) and row["Application"] == _LISTENING:
            self.legs.recorders[channel.id] = heard

    def _leg_of(self, channel: Channel, row: AmiMessage, variables: dict[str, str]) -> Leg:
        facts: dict[str, Any] = {
            "state": state_of(row) or LegState.INITIATED,
            "outbound": row["Application"] in _DIALLED,
            "number": variables.get("CTIEX_OWN_NUMBER", "") if channel.phase == "out" else number_of(row),
            **remembered(variables),
            **self._place_of(channel, row, variables),
        }
        if row["Application"] == "Queue":
            facts["queue"] = row["Data"].partition(",")[0]
        if facts["recording"] is RecordingState.PAUSED:
            self.legs.paused.add(channel.id)
        agent = self.legs.agent_of(channel.name, variables)
        facts["number"] = agent or facts["number"]
        return Leg(channel.id, **{"call": channel.id, "agent": agent, **facts})

    def _place_of(self, channel: Channel, row: AmiMessage, variables: dict[str, str]) -> dict[str, Any]:
        bridge = self._bridges.get(row["BridgeID"])
        if bridge is not None:
            place = where(bridge, channel)
            return {"service": variables.get("CTIEX_SERIAL", ""), **place}
        if channel.phase == "out":
            return {"place": LegPlace.SERVICE, "service": variables.get("CTIEX_SERIAL", "")}
        if variables.get("CTIEX_SUPERVISED"):
            hears = {"place": LegPlace.SUPERVISION} if row["Application"] == _LISTENING else {}
            how = supervision_of(variables.get("CTIEX_SUPERVISION", ""))
            return {"supervised": variables["CTIEX_SUPERVISED"], "supervision": how, **hears}
        return {}

    def _note_dialling(self, leg: Leg, row: AmiMessage) -> None:
        if row["Application"] in _DIALLED:
            self._dialled.append((leg, row["Linkedid"], row["BridgeID"]))
        elif row["Application"] in _DIALLING:
            self._dialling.setdefault(row["Linkedid"], []).append((leg, row["BridgeID"]))
