"""The measures by which a commit is held against the one before: in memory, and over sockets in turns."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import in_memory, whole_exchange
from benchmarks.beside import GUNS, ROUNDS, Verdict, checkout, told
from benchmarks.beside import MOST as MOST_OVER_SOCKETS
from benchmarks.machine import ROOT
from benchmarks.whole_exchange import BATCH, HAND_OFF, Costs, Round, WrongAnswer

KINDS = {
    "Bind", "AgentLogin", "Ping", "ConnectRequest", "ConnectionReply", "DataRequest", "DataRequest, again",
    "DataRequest, refused", "ServiceEvent, progress", "ServiceEvent, final", "AgentEventAck", "CancelRequest",
    "CallEndedReply", "AgentLogout",
}  # fmt: skip


def test_a_round_measures_every_kind_of_message_and_a_whole_hand_off() -> None:
    counted: Counter[str] = Counter()

    def cost(name: str, messages: int, batch: Callable[[], None]) -> None:
        counted[name] += messages
        batch()

    Round(cost).run()
    assert set(counted) == KINDS
    assert all(counted[name] % BATCH == 0 for name in HAND_OFF)
    assert set(HAND_OFF) < KINDS


def test_an_exchange_that_does_something_else_is_not_measured() -> None:
    def lazy(name: str, messages: int, batch: Callable[[], None]) -> None:
        if name != "DataRequest":
            batch()

    with pytest.raises(WrongAnswer, match="replies"):
        Round(lazy).run()


def test_a_cost_is_in_turns_of_the_calibration_beside_it() -> None:
    costs = Costs()
    for name in HAND_OFF:
        costs.take(name, 10, lambda: setattr(costs, "done", whole_exchange.calibration()))
    turns = costs.medians()["turns"]
    # One calibration for ten messages: a tenth of its turns each, whatever the machine.
    expected = whole_exchange.LOOPS / 10
    assert turns["DataRequest"] == pytest.approx(expected, rel=0.5)
    assert turns["a whole hand-off"] == pytest.approx(len(HAND_OFF) * expected, rel=0.5)


def figures(**turns: float) -> dict[str, dict[str, float]]:
    return {"us": dict(turns), "turns": dict(turns)}


def test_what_is_compared_is_the_median_of_the_turns_of_each_pair() -> None:
    here = [figures(Ping=1.0, New=5.0), figures(Ping=2.0, New=5.0), figures(Ping=9.0, New=5.0)]
    there = [figures(Ping=1.0), figures(Ping=1.0), figures(Ping=3.0)]
    (ping,) = in_memory.compared([[here, there], [there, there]])
    assert (ping.name, ping.ratios, ping.red) == ("Ping", [2.0, 1.0], True)


@pytest.mark.parametrize(("ratios", "red"), [([1.0, 1.02, 9.0], False), ([1.0, 1.04, 1.05], True)])
def test_red_is_a_median_beyond_what_it_may_be(
    ratios: list[float], red: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told([Verdict("Ping", ratios, in_memory.MOST)], Path("before")) == int(red)
    assert ("RED" in capsys.readouterr().out) is red


def test_the_bounds_are_those_that_the_docs_tell() -> None:
    page = " ".join((ROOT / "docs" / "performance.rst").read_text(encoding="utf-8").split())
    assert f"red beyond {in_memory.MOST - 1:.0%}".replace("%", " %") in page
    assert f"at least {ROUNDS} rounds, red beyond {MOST_OVER_SOCKETS - 1:.0%}".replace("%", " %") in page
    assert len(GUNS) == 3


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no checkout"):
        checkout(str(tmp_path))


def test_another_checkout_is_measured_in_turns_with_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "_ROUNDS", 1)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    results = tmp_path / "results.json"
    words = ["--beside", str(tmp_path), "--processes", "1", "--turns", "1", "--results", str(results)]
    assert in_memory.main(words) in (0, 1), "whether one turn is red is chance"
    kept = json.loads(results.read_text())
    assert set(kept["kinds"]) == set(kept["beside"]) == {*KINDS, "a whole hand-off"}
