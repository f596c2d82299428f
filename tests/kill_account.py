"""What a ledger of the load comes to: what was lost, came twice, or came wrong."""

from __future__ import annotations

import json
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctiex.errors import Status
from ctiex.messages import Condition

ONCE = (Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED)
_MAY_BE_REFUSED = frozenset({Status.UNKNOWN_SERIAL, Status.ALREADY_FINISHED, Status.QUEUE_FULL})
"""With what a report may be refused: its call is over, or it is progress that has no room."""
Line = Mapping[str, Any]


class Account:
    """What a ledger comes to."""

    def __init__(self, lines: Iterable[Line]) -> None:
        found: dict[str, list[Line]] = defaultdict(list)
        self._told: list[Line] = []
        """Events and gaps, in the order in which agents' applications had them."""
        for line in lines:
            found[line["what"]].append(line)
            if line["what"] in ("event", "gap"):
                self._told.append(line)
        self.asked = {line["serial"]: line for line in found["asked"]}
        self._refused = found["refused"]
        # 24 to a serial that nobody else uses says that the first request was kept, and has ended.
        self.kept = {line["serial"]: line["at"] for line in found["kept"]} | {
            line["serial"]: line["at"] for line in self._refused if line["status"] == Status.ALREADY_FINISHED
        }
        self.reporting = {line["token"]: line for line in found["reporting"]}
        self.reported = found["reported"]
        self._unreported = found["unreported"]
        self.events = found["event"]
        self.finals = [line for line in self.events if Condition(line["condition"]).final]
        self.gaps = found["gap"]
        self._came = found["came"]
        self._fetched = found["fetched"]
        self.ended = bool(found["end"])
        self.trouble = Counter(line["error"] for line in found["trouble"])

    @property
    def epochs(self) -> list[int]:
        """The numberings that agents' events came in, in their order."""
        return list(dict.fromkeys(line["epoch"] for line in self.events))

    # ------------------------------------------------------------ lost

    @property
    def lost(self) -> list[str]:
        """What was acknowledged and isn't there, or may not be, a sentence each."""
        gaps = [f"agent {line['agent']} was told a gap, {line['first']} to {line['last']}" for line in self.gaps]
        return self.lost_since(0.0) + gaps + self.missed

    def lost_since(self, moment: float) -> list[str]:
        """The same of what was acknowledged behind a moment, but for what agents have missed."""
        finals = {line["serial"] for line in self.finals}
        told = {(line["agent"], line["serial"], line["condition"], line["token"]) for line in self.events}
        kept = [serial for serial, at in self.kept.items() if at >= moment]
        calls = [f"call {serial} has no end" for serial in kept if serial not in finals]
        reports = [
            f"report {line['token']} on call {line['serial']} was acknowledged and isn't at its agent"
            for line in self.reported
            if line["at"] >= moment
            and (self.asked[line["serial"]]["agent"], line["serial"], line["condition"], line["token"]) not in told
        ]
        return calls + reports

    @property
    def swallowed(self) -> list[str]:
        """Reports that were refused though nobody can bring them again, a sentence each."""
        return [
            f"report {line['token']} on call {line['serial']} was refused with {line['status']}"
            for line in self._unreported
            if line["status"] not in _MAY_BE_REFUSED
        ]

    @property
    def missed(self) -> list[str]:
        """Where an agent may have missed events without having been told of it, a sentence each."""
        return [sentence for agent in {line["agent"] for line in self._told} for sentence in self._missed_by(agent)]

    def _missed_by(self, agent: str) -> Iterator[str]:
        epoch, last, told = None, 0, None
        for line in self._told:
            if line["agent"] != agent:
                continue
            if line["what"] == "gap":
                told = line["first"], line["last"]
                continue
            if epoch not in (None, line["epoch"]):
                if told is None:
                    yield f"agent {agent} wasn't told that event {line['sequence']} is of another numbering"
            elif line["sequence"] != last + 1 and told != (last + 1, line["sequence"] - 1):
                yield f"agent {agent} took event {line['sequence']} behind {last}, and was told {told}"
            epoch, last, told = line["epoch"], line["sequence"], None

    # ------------------------------------------------------------ doubled, and wrong

    @property
    def doubled(self) -> list[str]:
        """What happened twice in one numbering, a sentence each."""
        ends = Counter((line["epoch"], line["serial"]) for line in self.finals)
        tokens = Counter((line["epoch"], line["token"]) for line in self.events if line["token"])
        once = Counter(
            (line["epoch"], line["serial"], line["condition"]) for line in self.events if line["condition"] in ONCE
        )
        contents = {(line["agent"], line["epoch"], line["sequence"], line["content"]) for line in self._came}
        numbers = Counter(content[:3] for content in contents)
        return [
            *(f"call {serial} has {count} ends" for (_, serial), count in ends.items() if count > 1),
            *(f"report {token} is at its agent {count} times" for (_, token), count in tokens.items() if count > 1),
            *(f"{what} of call {serial} came {count} times" for (_, serial, what), count in once.items() if count > 1),
            *(f"event {what} has {count} contents" for what, count in numbers.items() if count > 1),
        ]

    @property
    def wrong(self) -> list[str]:
        """What came to somebody it isn't for, was never sent, or came after the end, a sentence each."""
        return [*self._wrong_events(), *self._wrong_data(), *self._wrong_refusals()]

    def _wrong_events(self) -> Iterator[str]:
        ended: set[tuple[int, str]] = set()
        for line in self.events:
            asked, sent = self.asked.get(line["serial"]), self.reporting.get(line["token"])
            event = f"event {line['sequence']} of agent {line['agent']}"
            if asked is None or asked["agent"] != line["agent"]:
                yield f"{event} is of no call that it has asked for"
            if line["reference"] != reference_of(line["serial"]):
                yield f"{event} has the reference {line['reference']!r}"
            if line["token"] and (sent is None or (sent["serial"], sent["condition"]) != _about(line)):
                yield f"{event} was never reported like that"
            if (line["epoch"], line["serial"]) in ended:
                yield f"{event} came after its call had ended"
            if Condition(line["condition"]).final:
                ended.add((line["epoch"], line["serial"]))

    def _wrong_data(self) -> Iterator[str]:
        for line in self._fetched:
            its_own = self.asked[line["serial"]]["token"], reference_of(line["serial"])
            if (line["token"], line["reference"]) != its_own:
                yield f"the data of call {line['serial']} isn't its own"

    def _wrong_refusals(self) -> Iterator[str]:
        for line in self._refused:
            if line["status"] == Status.DUPLICATE_SERIAL:
                yield f"call {line['serial']} was taken for another one with its serial"

    # ------------------------------------------------------------ figures

    def across(self, moments: Sequence[float]) -> int:
        """How many calls were acknowledged before one of these moments and ended behind it."""
        ends = {line["serial"]: line["at"] for line in self.finals}
        return sum(bisect(moments, at) < bisect(moments, ends.get(serial, at)) for serial, at in self.kept.items())

    def in_flight(self, moments: Sequence[float]) -> list[int]:
        """How many calls went on at each of these moments."""
        ends = {line["serial"]: line["at"] for line in self.finals}
        return [
            sum(line["at"] < moment < ends.get(serial, moment) for serial, line in self.asked.items())
            for moment in moments
        ]


def reference_of(serial: str) -> str:
    """What the load calls a call."""
    return f"customer {serial}"


def _about(line: Line) -> tuple[str, int]:
    return line["serial"], line["condition"]


def read_ledger(path: Path) -> Account:
    """The account of a load that has ended."""
    with path.open() as lines:
        return Account(map(json.loads, lines))
