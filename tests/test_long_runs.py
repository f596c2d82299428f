"""``make test-long``: what it runs is told in the docs, and what comes of it is a page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import long_runs
from .long_runs import RUNS, LongRun, Outcome, page, section
from .processes import ROOT


def test_every_long_run_is_told_in_the_docs() -> None:
    told = (ROOT / "docs" / "long-tests.rst").read_text(encoding="utf-8")
    assert [run.name for run in RUNS if f"\n``{run.name}``\n" not in told] == []


def test_the_page_has_each_command_and_its_figures() -> None:
    run = LongRun("x", "Something for long", "do {size}", 100, 1, "calls")
    text = section(Outcome(run, run.at(quick=False), 0, 90.0, ["7 calls"]), "abc")
    assert "Something for long: passed in 1.5 min.\n" in text
    assert "commit ``abc``" in text
    assert text.endswith("\n.. code-block:: text\n\n   $ do 100\n\n   7 calls\n")
    assert "FAILED in 0.1 min" in section(Outcome(run, "do 1", 1, 6.0, []), "abc")


def test_one_that_is_run_alone_takes_the_place_of_its_last_figures_and_the_others_stay() -> None:
    first, second, *_ = RUNS
    told = {run.name: section(Outcome(run, "do", 0, 6.0, [f"the old {run.name}"]), "abc") for run in (second, first)}
    before = page(told, "")
    new = section(Outcome(second, "do", 0, 6.0, ["the new one"]), "def")
    assert before.index(f"the old {first.name}") < before.index(f"the old {second.name}")
    assert page({second.name: new}, before) == before.replace(told[second.name], new)


@pytest.mark.parametrize(("says", "code"), [("print(3, 'calls')", 0), ("print(3, 'calls'); raise SystemExit(7)", 7)])
def test_what_a_run_says_and_how_it_ends_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, code: int
) -> None:
    monkeypatch.setattr(long_runs, "OUTPUT", tmp_path)
    outcome = long_runs.done(LongRun("x", "", f'{sys.executable} -c "{says}"', 1, 1, "calls"), quick=False)
    assert (outcome.code, outcome.lines) == (code, ["3 calls"])
