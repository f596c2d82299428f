"""The measures by which a commit is held against the one before: in memory, and over sockets in turns."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import in_memory
from benchmarks.beside import GUNS, ROUNDS, Verdict, checkout, told
from benchmarks.beside import MOST as MOST_OVER_SOCKETS
from benchmarks.machine import ROOT
from benchmarks.whole_exchange import (
    BATCH,
    CALIBRATION,
    HAND_OFF,
    QUIET,
    Costs,
    Round,
    WrongAnswer,
    undisturbed,
)

KINDS = {
    "Bind", "AgentLogin", "Ping", "ConnectRequest", "ConnectionReply", "DataRequest", "DataRequest, again",
    "DataRequest, refused", "ServiceEvent, progress", "ServiceEvent, final", "AgentEventAck", "CancelRequest",
    "CallEndedReply", "AgentLogout",
}  # fmt: skip


def test_a_round_measures_every_kind_of_message_and_a_whole_hand_off() -> None:
    counted: Counter[str] = Counter()

    def cost(name: str, messages: int, pieces: Iterable[Callable[[], object]]) -> None:
        counted[name] += messages
        for piece in pieces:
            piece()

    Round(cost).run()
    assert set(counted) == KINDS
    assert all(counted[name] % BATCH == 0 for name in HAND_OFF)
    assert set(HAND_OFF) < KINDS


def test_an_exchange_that_does_something_else_is_not_measured() -> None:
    def lazy(name: str, messages: int, pieces: Iterable[Callable[[], object]]) -> None:
        for piece in pieces if name != "DataRequest" else ():
            piece()

    with pytest.raises(WrongAnswer, match="replies"):
        Round(lazy).run()


def test_what_a_message_takes_is_that_of_all_pieces_of_its_kind() -> None:
    now = [0]
    costs = Costs(lambda: now[0])

    def work(nanoseconds: int) -> Callable[[], object]:
        return lambda: now.__setitem__(0, now[0] + nanoseconds)

    costs.take("Ping", 10, [work(30_000), work(50_000)])
    costs.take("Ping", 10, [work(40_000), work(80_000)])
    took = costs.took()
    assert took["Ping"] == [1.5, 2.5, 2.0, 4.0], "of a piece, in microseconds for each of the 20 messages"
    assert took[CALIBRATION] == [0, 0], "before each batch"


def rounds(of: int, *pieces: float, later: float = 0.0) -> list[dict[str, list[float]]]:
    """So many rounds of the kinds of a hand-off; ``later`` is what each has beyond the one before."""
    return [{kind: [piece + later * number for piece in pieces] for kind in HAND_OFF} for number in range(of)]


@given(st.lists(st.floats(0, 1_000), min_size=180, max_size=180), st.randoms(use_true_random=False))
def test_whatever_comes_between_in_most_of_the_rounds_changes_no_cost(more: list[float], random: Random) -> None:
    disturbed = [{kind: [1.0 + beyond, 2.0 + beyond] for kind in HAND_OFF} for beyond in more]
    together = [*rounds(20, 1.0, 2.0), *disturbed]
    random.shuffle(together)
    found = undisturbed(together)
    assert found["DataRequest"] == 3.0
    assert found["a whole hand-off"] == len(HAND_OFF) * 3.0


def test_the_least_of_many_rounds_counts_no_more_than_others() -> None:
    assert undisturbed(rounds(100, 1.0, later=1.0))["DataRequest"] == 1.0 + 100 * QUIET


def test_pieces_are_taken_where_they_were_undisturbed_each_in_its_own_round() -> None:
    first, second = rounds(1, 1.0, 9.0), rounds(1, 9.0, 2.0)
    assert undisturbed(first + second)["DataRequest"] == 3.0


def test_what_is_compared_is_what_each_pair_has_found() -> None:
    pairs = [[{"Ping": 2.0, "New": 5.0}, {"Ping": 1.0}], [{"Ping": 3.0, "New": 5.0}, {"Ping": 3.0}]]
    (ping,) = in_memory.compared(pairs)
    assert (ping.name, ping.ratios, ping.red) == ("Ping", [2.0, 1.0], True)


def test_the_table_tells_costs_in_turns_of_the_calibration_too() -> None:
    processes = [{"Ping": 6.0, CALIBRATION: 2.0}, {"Ping": 8.0, CALIBRATION: 2.0}, {"Ping": 9.0, CALIBRATION: 1.0}]
    assert in_memory.table(processes)["Ping"] == {"us": 8.0, "median": 4.0, "least": 3.0, "most": 9.0}


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


@pytest.mark.gate
def test_another_checkout_is_measured_in_turns_with_this_one(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    results = tmp_path / "results.json"
    words = ["--beside", str(tmp_path), "--processes", "1", "--rounds", "1", "--results", str(results)]
    assert in_memory.main(words) in (0, 1), "whether one round is red is chance"
    kept = json.loads(results.read_text())
    assert set(kept["kinds"]) == set(kept["beside"]) == {*KINDS, CALIBRATION, "a whole hand-off"}
