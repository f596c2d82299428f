"""What an Asterisk says of its calls, in the bytes of its manager interface: for ``benchmarks/call_control.py``."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define

from ctiex.telephony.asterisk import actions, call_actions

_VARIABLES = "".join(
    f"Variable: {name}=(null)\r\n" for name in (*actions.WATCHED, *call_actions.WATCHED)
).encode() + b"\r\n"  # fmt: skip
"""What a list says of a channel that was told nothing."""


def said(event: str, **headers: str) -> bytes:
    """One event."""
    lines = [f"Event: {event}", "Privilege: call,all", *(f"{key}: {value}" for key, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@define(eq=False)
class TalkingPair:
    """A customer who calls an agent, in the events of an Asterisk 20."""

    number: int
    agent: str

    def _channel(self, agent: bool, state: str) -> dict[str, str]:
        device = f"PJSIP/{self.agent}" if agent else "PJSIP/trunk"
        names = {"0": "Down", "4": "Ring", "5": "Ringing", "6": "Up"}
        return {
            "Channel": f"{device}-{2 * self.number + agent:08x}",
            "ChannelState": state,
            "ChannelStateDesc": names[state],
            "CallerIDNum": self.agent if agent else self.customer,
            "CallerIDName": "<unknown>",
            "ConnectedLineNum": self.customer if agent else self.agent,
            "ConnectedLineName": "<unknown>",
            "Language": "en",
            "AccountCode": "",
            "Context": "agents" if agent else "from-outside",
            "Exten": "" if agent else self.agent,
            "Priority": "1",
            "Uniqueid": self.id_of(agent),
            "Linkedid": self.id_of(False),
        }

    def id_of(self, agent: bool) -> str:
        """The id of one of the two channels."""
        return f"1795448690.{2 * self.number + agent}"

    @property
    def customer(self) -> str:
        """The customer's number."""
        return f"138{self.number:08d}"

    @property
    def bridge(self) -> str:
        """The id of the bridge in which they talk."""
        return f"5b1c7d52-0000-4000-8000-{self.number:012d}"

    def _bridge(self) -> dict[str, str]:
        return {
            "BridgeUniqueid": self.bridge,
            "BridgeType": "basic",
            "BridgeTechnology": "simple_bridge",
            "BridgeCreator": "<unknown>",
            "BridgeName": "<unknown>",
            "BridgeNumChannels": "2",
            "BridgeVideoSourceMode": "none",
        }

    # -- in lists

    def bridge_row(self) -> bytes:
        """Their bridge."""
        return said("BridgeListItem", **self._bridge())

    def channel_rows(self) -> Iterator[bytes]:
        """Their channels."""
        for agent in (False, True):
            application = "AppDial" if agent else "Dial"
            row = said("Status", **self._channel(agent, "6"), Application=application, BridgeID=self.bridge)
            yield row[:-2] + _VARIABLES

    # -- as they happen

    def rings(self) -> bytes:
        """The customer calls, and the agent's telephone rings."""
        customer, agent = self._channel(False, "4"), self._channel(True, "0")
        dial = {**customer, **{f"Dest{key}": value for key, value in agent.items()}, "DialString": self.agent}
        return b"".join((
            said("Newchannel", **customer),
            said("Newexten", **customer, Extension=self.agent, Application="Dial", AppData=f"PJSIP/{self.agent}"),
            said("Newchannel", **agent),
            said("DialBegin", **dial),
            said("Newstate", **self._channel(True, "5")),
            said("DialState", **dial, DialStatus="RINGING"),
        ))  # fmt: skip

    def picks_up(self) -> bytes:
        """The agent answers."""
        customer, agent = self._channel(False, "6"), self._channel(True, "6")
        dial = {**customer, **{f"Dest{key}": value for key, value in agent.items()}}
        return b"".join((
            said("Newstate", **agent),
            said("DialEnd", **dial, DialStatus="ANSWER"),
            said("Newstate", **customer),
            said("BridgeCreate", **self._bridge()),
            said("BridgeEnter", **self._bridge(), **agent),
            said("BridgeEnter", **self._bridge(), **customer),
        ))  # fmt: skip

    def presses_hold(self, held: bool) -> bytes:
        """The hold key of the agent's telephone."""
        return said("Hold" if held else "Unhold", **self._channel(True, "6"))

    def hangs_up(self) -> bytes:
        """The customer hangs up."""
        customer, agent = self._channel(False, "6"), self._channel(True, "6")
        return b"".join((
            said("HangupRequest", **customer),
            said("BridgeLeave", **self._bridge(), **customer),
            said("BridgeLeave", **self._bridge(), **agent),
            said("BridgeDestroy", **self._bridge()),
            said("Hangup", **agent, Cause="16"),
            said("Hangup", **customer, Cause="16"),
        ))  # fmt: skip
