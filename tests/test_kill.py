"""The exchange is killed at any moment, again and again, under load: everything acknowledged is accounted for."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status
from ctiex.messages import Condition
from ctiex.records import CallState, Snapshot
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile

from .kill_load import SHORT_TIMES, configuration
from .processes import TWISTD, Program, accepts, free_port, surroundings
from .waiting import until

ROUNDS = int(os.environ.get("CTIEX_KILL_ROUNDS", "4"))
SEED = int(os.environ.get("CTIEX_KILL_SEED", "3"))
ONCE = (Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED)
Line = Mapping[str, Any]


# ---------------------------------------------------------------- accounting


class Account:
    """What a ledger comes to."""

    def __init__(self, lines: Iterable[Line]) -> None:
        found: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            found[line["what"]].append(line)
        self.asked = {line["serial"]: line for line in found["asked"]}
        # 22 to a serial that nobody else uses says that the first request was kept, and has ended.
        self.kept = {line["serial"]: line["at"] for line in found["kept"]} | {
            line["serial"]: line["at"] for line in found["refused"] if line["status"] == Status.DUPLICATE_SERIAL
        }
        self.reporting = {line["token"]: line for line in found["reporting"]}
        self.reported = found["reported"]
        self.events = found["event"]
        self.finals = [line for line in self.events if Condition(line["condition"]).final]
        self.gaps = found["gap"]
        self._came = found["came"]
        self._fetched = found["fetched"]
        self.ended = bool(found["end"])
        self.trouble = Counter(line["error"] for line in found["trouble"])

    @property
    def lost(self) -> list[str]:
        """What was acknowledged and isn't there, a sentence each."""
        finals = {line["serial"] for line in self.finals}
        told = {(line["agent"], line["serial"], line["condition"], line["token"]) for line in self.events}
        calls = [f"call {serial} has no end" for serial in self.kept if serial not in finals]
        reports = [
            f"report {line['token']} on call {line['serial']} was acknowledged and isn't at its agent"
            for line in self.reported
            if (self.asked[line["serial"]]["agent"], line["serial"], line["condition"], line["token"]) not in told
        ]
        gaps = [f"agent {line['agent']} was told a gap, {line['first']} to {line['last']}" for line in self.gaps]
        return calls + reports + gaps + list(self._missing_sequences())

    def _missing_sequences(self) -> Iterator[str]:
        taken: dict[str, list[int]] = defaultdict(list)
        for line in self.events:
            taken[line["agent"]].append(line["sequence"])
        for agent, sequences in taken.items():
            if sequences != list(range(1, len(sequences) + 1)):
                yield f"agent {agent} took {len(sequences)} events, not numbered 1 to {len(sequences)} in order"

    @property
    def doubled(self) -> list[str]:
        """What happened twice, a sentence each."""
        ends = Counter(line["serial"] for line in self.finals)
        tokens = Counter(line["token"] for line in self.events if line["token"])
        once = Counter((line["serial"], line["condition"]) for line in self.events if line["condition"] in ONCE)
        contents = {(line["agent"], line["sequence"], line["content"]) for line in self._came}
        numbers = Counter((agent, sequence) for agent, sequence, _ in contents)
        return [
            *(f"call {serial} has {count} ends" for serial, count in ends.items() if count > 1),
            *(f"report {token} is at its agent {count} times" for token, count in tokens.items() if count > 1),
            *(f"{what} came {count} times" for what, count in once.items() if count > 1),
            *(f"event {what} has {count} contents" for what, count in numbers.items() if count > 1),
        ]

    @property
    def wrong(self) -> list[str]:
        """What came to somebody it isn't for, was never sent, or came after the end, a sentence each."""
        found = []
        ended: set[str] = set()
        for line in self.events:
            asked, sent = self.asked.get(line["serial"]), self.reporting.get(line["token"])
            if asked is None or asked["agent"] != line["agent"]:
                found.append(f"event {line['sequence']} came to agent {line['agent']}, who asked for no such call")
            if line["token"] and (sent is None or (sent["serial"], sent["condition"]) != _about(line)):
                found.append(f"event {line['sequence']} of agent {line['agent']} was never reported like that")
            if line["serial"] in ended:
                found.append(f"event {line['sequence']} of agent {line['agent']} came after its call had ended")
            if Condition(line["condition"]).final:
                ended.add(line["serial"])
        return found + [
            f"the data of call {line['serial']} isn't its own"
            for line in self._fetched
            if self.asked[line["serial"]]["token"] != line["token"]
        ]

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


def _about(line: Line) -> tuple[str, int]:
    return line["serial"], line["condition"]


def read_ledger(path: Path) -> Account:
    """The account of a load that has ended."""
    with path.open() as lines:
        return Account(map(json.loads, lines))


# ---------------------------------------------------------------- processes


class DurableExchange:
    """``twistd -n ctiex`` on a store in one folder, any number of times."""

    def __init__(
        self, directory: Path, name: str = "exchange", times: tuple[float, float, float] = SHORT_TIMES
    ) -> None:
        self.agent_port, self.service_port = free_port(), free_port()
        self.output = directory / f"{name}.output"
        self._directory = directory
        self._config = directory / f"{name}.toml"
        self._config.write_text(configuration(directory, self.agent_port, self.service_port, times))
        self.process: Program[bytes] | None = None

    def start(self) -> Program[bytes]:
        """Start a process, beside one that may still be there."""
        command = [*TWISTD, "ctiex", "--config", str(self._config)]
        with self.output.open("ab") as output:
            self.process = Program(command, cwd=self._directory, env=surroundings(), stdout=output, stderr=output)
        return self.process

    def wait(self) -> None:
        """Wait until it listens."""
        ports = self.service_port, self.agent_port
        until(lambda: all(map(accepts, ports)), lambda: self.output.read_text()[-4000:], self.process)

    def says(self, words: str, times: int = 1) -> None:
        """Wait until it has said this so many times, in all its processes."""
        until(lambda: self.output.read_text().count(words) >= times, lambda: self.output.read_text()[-4000:])

    def kill(self) -> float:
        """SIGKILL; the moment before it."""
        assert self.process is not None and self.process.poll() is None, self.output.read_text()[-4000:]
        moment = time.time()
        self.process.kill()
        self.process.wait()
        return moment

    def stop(self) -> None:
        """Be sure that it is gone."""
        if self.process is not None:
            self.process.end()

    def complaints(self) -> list[str]:
        """Lines of its log that no stop, however sudden, may bring about."""
        words = ("Traceback", "Unhandled", "#error", "#critical")
        return [line for line in self.output.read_text().splitlines() if any(word in line for word in words)]


@contextmanager
def running_load(exchange: DurableExchange, directory: Path, seed: int) -> Iterator[Program[bytes]]:
    """Load on an exchange, from a process of its own."""
    command = [sys.executable, "-m", "tests.kill_load", str(exchange.agent_port), str(exchange.service_port),
               str(directory / "ledger"), str(seed)]  # fmt: skip
    with (
        (directory / "load.output").open("wb") as output,
        Program[bytes](command, cwd=directory, env=surroundings(), stdout=output, stderr=output) as process,
    ):
        yield process


def has_done(directory: Path, lines: int) -> None:
    """Wait until the load has noted so many more lines in its ledger."""
    path = directory / "ledger"

    def noted() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    wanted = noted() + lines
    until(lambda: noted() >= wanted, (directory / "load.output").read_text)


def let_end(load: Program[bytes], directory: Path) -> Account:
    """Let the load end all its calls; what its ledger comes to."""
    load.send_signal(signal.SIGTERM)
    code = load.ends()
    account = read_ledger(directory / "ledger")
    assert code == 0 and account.ended, (code, account.lost[:5], (directory / "load.output").read_text()[-2000:])
    return account


def kept_in(directory: Path) -> Snapshot:
    """What the store of an exchange that has stopped keeps."""
    path = directory / "calls.sqlite"
    file = SqliteFile(path, Seal(find_key(Path(f"{path}.key"), make=False)))
    try:
        assert file.check() == []
        return file.read()
    finally:
        file.close()


# ---------------------------------------------------------------- what must hold


class KillTests(SynchronousTestCase):
    """SIGKILL at random moments, and a restart on the same file and ports."""

    def killed_in_rounds(self, exchange: DurableExchange, random: Random) -> list[float]:
        """Kill it while it works, or one time in five while it starts; the moments."""
        moments = []
        for _ in range(ROUNDS):
            exchange.start()
            if random.random() < 0.2:
                time.sleep(random.uniform(0, 0.8))
            else:
                exchange.wait()
                time.sleep(random.uniform(0, 1.2))
            moments.append(exchange.kill())
        return moments

    def test_everything_acknowledged_is_accounted_for(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        exchange = DurableExchange(directory)
        self.addCleanup(exchange.stop)
        exchange.start()
        exchange.wait()
        with running_load(exchange, directory, SEED) as load:
            has_done(directory, 200)
            first = exchange.kill()
            moments = [first, *self.killed_in_rounds(exchange, Random(SEED))]
            last = exchange.start()
            exchange.wait()
            account = let_end(load, directory)
        last.send_signal(signal.SIGTERM)
        self.assertEqual(last.ends(), 0)
        kept = kept_in(directory)
        self.report(account, moments)
        self.assertEqual((account.lost, account.doubled, account.wrong), ([], [], []))
        self.assertEqual({call.state for call in kept.calls}, {CallState.CLOSED})
        self.assertEqual(kept.events, ())
        self.assertEqual(exchange.complaints(), [])
        self.assertGreater(account.across(moments), len(moments), "the kills met hardly any call")

    def report(self, account: Account, moments: Sequence[float]) -> None:
        """Print the figures of the run (``pytest -s`` shows them)."""
        ends = Counter(Condition(line["condition"]).name.lower() for line in account.finals)
        finals = sum(1 for line in account.reported if line["condition"])
        print(
            f"\nSIGKILLs {len(moments)}, calls in flight at each (median) {median(account.in_flight(moments)):.0f}, "
            f"calls acknowledged {len(account.kept)}, of them ended behind a kill {account.across(moments)}, "
            f"reports acknowledged {len(account.reported)}, of them final {finals}, events taken "
            f"{len(account.events)}, final {len(account.finals)} ({dict(ends)}), lost {len(account.lost)}, "
            f"doubled {len(account.doubled)}, wrong {len(account.wrong)}; trouble {dict(account.trouble)}"
        )


def ledger(**changes: Mapping[str, object] | None) -> Account:
    """The account of one call that went well, but for these lines; None takes a line out."""
    lines: dict[str, Mapping[str, object] | None] = {
        "asked": {"what": "asked", "serial": "5", "agent": "1", "token": "a"},
        "kept": {"what": "kept", "serial": "5"},
        "fetched": {"what": "fetched", "serial": "5", "token": "a"},
        "reporting": {"what": "reporting", "serial": "5", "condition": 1, "token": "b"},
        "came": {"what": "came", "agent": "1", "sequence": 1, "content": 8},
        "event": {"what": "event", "agent": "1", "sequence": 1, "serial": "5", "condition": 1, "token": "b"},
        "reported": {"what": "reported", "serial": "5", "condition": 1, "token": "b"},
    }
    return Account({"at": 0.0, **line} for line in (lines | changes).values() if line is not None)


class AccountTests(SynchronousTestCase):
    """The accounting finds what it is there to find."""

    event: Mapping[str, object] = {
        "what": "event", "agent": "1", "sequence": 1, "serial": "5", "condition": 1, "token": "b"
    }  # fmt: skip

    def test_a_call_that_went_well_is_in_order(self) -> None:
        account = ledger()
        self.assertEqual((account.lost, account.doubled, account.wrong), ([], [], []))

    def test_a_call_without_an_end_is_lost(self) -> None:
        self.assertEqual(ledger(event=None, reported=None).lost, ["call 5 has no end"])

    def test_a_request_whose_repeat_is_a_duplicate_was_kept(self) -> None:
        refused = {"what": "refused", "serial": "5", "status": 22}
        self.assertEqual(ledger(kept=refused, event=None, reported=None).lost, ["call 5 has no end"])

    def test_an_acknowledged_report_that_came_otherwise_is_lost(self) -> None:
        self.assertEqual(len(ledger(event={**self.event, "condition": 15, "token": ""}).lost), 1)

    def test_a_hole_in_the_sequences_is_lost(self) -> None:
        self.assertEqual(len(ledger(event={**self.event, "sequence": 2}).lost), 1)

    def test_a_gap_that_was_told_is_lost(self) -> None:
        self.assertEqual(len(ledger(gap={"what": "gap", "agent": "1", "first": 1, "last": 2}).lost), 1)

    def test_a_second_end_is_doubled(self) -> None:
        again = {**self.event, "sequence": 2, "token": "", "condition": 15}
        self.assertEqual(ledger(again=again).doubled, ["call 5 has 2 ends"])

    def test_a_report_that_comes_twice_is_doubled(self) -> None:
        again = {**self.event, "sequence": 2}
        self.assertIn("report b is at its agent 2 times", ledger(again=again).doubled)

    def test_a_sequence_that_is_used_twice_is_doubled(self) -> None:
        again = {"what": "came", "agent": "1", "sequence": 1, "content": 9}
        self.assertEqual(ledger(again=again).doubled, ["event ('1', 1) has 2 contents"])

    def test_what_comes_to_another_agent_is_wrong(self) -> None:
        self.assertEqual(len(ledger(event={**self.event, "agent": "2"}).wrong), 1)

    def test_what_nobody_reported_is_wrong(self) -> None:
        self.assertEqual(len(ledger(reporting=None).wrong), 1)

    def test_the_data_of_another_call_is_wrong(self) -> None:
        self.assertEqual(len(ledger(fetched={"what": "fetched", "serial": "5", "token": "x"}).wrong), 1)
