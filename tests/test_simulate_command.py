"""``ctiex simulate``: what it prints, and what it refuses."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from twisted.python.usage import UsageError

from ctiex.app.commands import simulate
from ctiex.testing.simulation.faults import ALL, NONE, Fault, faults_named


def command(*words: str) -> tuple[int, str]:
    """The exit code of ``ctiex simulate`` with these options, and what it prints."""
    options, output = simulate.Options(), StringIO()
    options.parseOptions(words)
    return simulate.run(options, output, StringIO()), output.getvalue()


def test_the_command_prints_what_was_survived() -> None:
    code, output = command("--calls", "120", "--seed", "3", "--seeds", "2", "--faults", "network,crash")
    assert code == 0
    assert output.count("120 calls in 1 worlds") == 2
    assert "exchange crashed: " in output and "calls: 240" in output and "broken: 0" in output
    assert "service crashed" not in output


@pytest.mark.gate
def test_the_command_tells_what_became_of_the_calls_that_were_not_acknowledged() -> None:
    _, output = command("--calls", "250", "--seed", "3", "--faults", "all")
    acknowledged = re.search(r"calls: 250(?:, and (\d+) more under serials used again)?, of which (\d+)", output)
    assert acknowledged is not None
    _, found, others = output.partition("what the others met last:\n")
    assert found
    met = re.match(r"(?:  .+: \d+\n)+", others)
    assert met is not None
    told = sum(int(line.rpartition(" ")[2]) for line in met[0].splitlines())
    assert told + int(acknowledged[2]) == 250 + int(acknowledged[1] or 0)


def test_the_command_tells_the_seed_of_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiex.testing.simulation.world.check_empty", lambda world: world.ledger.break_("as it should"))
    code, output = command("--calls", "600", "--seed", "3", "--faults", "none")
    assert code == 1
    assert "seed 3, at " in output and "as it should" in output
    assert "again: ctiex simulate --calls 250 --seed 3 --faults none" in output


@pytest.mark.parametrize("words", [("--calls", "0"), ("--seeds", "-1"), ("--faults", "fire"), ("--faults", "")])
def test_the_command_refuses_what_it_does_not_understand(words: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0]}: found"):
        command(*words)


def test_the_bar_is_shown_on_a_terminal_only() -> None:
    class Screen(StringIO):
        def isatty(self) -> bool:
            return True

    options, screen = simulate.Options(), Screen()
    options.parseOptions(["--calls", "20", "--faults", "none"])
    assert simulate.run(options, StringIO(), screen) == 0
    assert screen.getvalue().endswith(f"[{'#' * 40}] 20/20\n")


def test_fault_names() -> None:
    assert faults_named("all") == ALL and faults_named("none") == NONE
    assert faults_named("crash, store") == {Fault.CRASH, Fault.STORE}
