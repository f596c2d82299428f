"""Programs of the tests have the signals of a fresh process, and none of them outlives its test."""

from __future__ import annotations

import ast
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from .processes import ROOT, Program, end_all_but, finished, running
from .waiting import until

TESTS = ROOT / "tests"
HERE = {"processes.py", "telephony/processes.py", "telephony/peers.py", "long_runs.py"}
"""Where programs are started: with the standard library, with the reactor; and what builds peers, or starts tests."""
STARTERS = {
    "subprocess": {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"system", "popen", "fork", "posix_spawn", "posix_spawnp"},
    "multiprocessing": {"Process", "Pool"},
    "pty": {"spawn", "fork"},
}
REACTOR_STARTERS = {"spawnProcess", "getProcessOutput", "getProcessValue", "getProcessOutputAndValue"}


def starts(source: str) -> list[str]:
    """Calls and imports in this source by which a program is started."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in STARTERS.get(module, ()):
                found.append(f"{module}.{name}")
            case ast.ImportFrom(module=str(module), names=names):
                found += [f"{module}.{one.name}" for one in names if one.name in STARTERS.get(module, ())]
                found += [one.name for one in names if one.name in REACTOR_STARTERS]
            case ast.Attribute(attr=name) if name in REACTOR_STARTERS:
                found.append(name)
    return found


@contextmanager
def ignored(*signals: signal.Signals) -> Iterator[None]:
    """As a script's background, or ``nohup``, starts the tests."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['true'])",
        "import subprocess\nclass Mine(subprocess.Popen): pass",
        "from subprocess import PIPE, Popen",
        "import os\nos.system('true')",
        "reactor.spawnProcess(None, 'true')",
        "from twisted.internet.utils import getProcessOutput",
    ],
)
def test_a_program_that_is_started_elsewhere_is_found(source: str) -> None:
    assert starts(source)


def test_every_program_of_the_tests_is_started_here() -> None:
    elsewhere = {
        str(path.relative_to(TESTS)): found
        for path in TESTS.rglob("*.py")
        if str(path.relative_to(TESTS)) not in HERE and (found := starts(path.read_text(encoding="utf-8")))
    }
    assert elsewhere == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE])
def test_a_signal_that_is_ignored_around_the_tests_ends_a_program(number: signal.Signals) -> None:
    with ignored(signal.SIGINT, signal.SIGHUP, signal.SIGPIPE), Program[bytes](["cat"], stdin=PIPE, stdout=PIPE) as cat:
        assert cat.stdin is not None
        assert cat.stdout is not None
        cat.stdin.write(b"it runs\n")
        cat.stdin.flush()
        assert cat.stdout.readline() == b"it runs\n"
        cat.send_signal(number)
        assert cat.ends() == -number


def test_what_a_program_has_started_ends_with_it() -> None:
    with Program[str](["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=PIPE, text=True) as shell:
        assert shell.stdout is not None
        child = Path("/proc", shell.stdout.readline().strip())
        assert child.exists()
    until(lambda: not child.exists() or " Z " in (child / "stat").read_text())


STARTER = """
import os, subprocess
from tests.processes import Program
print(Program(["sh", "-c", "echo $$; exec sleep 1000"], stdout=subprocess.PIPE).stdout.readline().decode(), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_program_ends_with_the_process_that_started_it() -> None:
    left = Path("/proc", finished([sys.executable, "-c", STARTER], cwd=ROOT, text=True).stdout.strip())
    until(lambda: not left.exists() or " Z " in (left / "stat").read_text())


def test_what_a_test_leaves_behind_is_ended_and_told() -> None:
    others = running()
    left = Program[bytes](["sleep", "1000"])
    assert end_all_but(others) == ["sleep 1000"]
    assert not left.is_running
    assert running() == others


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(AssertionError, match="a reason"):
        finished(["sh", "-c", "echo a reason >&2; exit 3"], check=True)
    assert finished(["sh", "-c", "exit 3"]).returncode == 3
