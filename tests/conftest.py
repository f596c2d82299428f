"""What every test has in common."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from twisted.trial import util

from . import processes
from .effort import examples
from .wire_exchange import SHORT_TIMES, Clients, RunningExchange
from .wire_memory import Memory

# A property is about what holds, not about how fast the machine finds it out: it may be busy.
settings.register_profile(
    "ctiex", max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ctiex")
# pytest's plugin for unittest asks for the version of Twisted at every test, which reads a file of its metadata.
metadata.version = cache(metadata.version)
# Of each asynchronous test, in seconds: before pytest's own, which knows less of what the test waits for.
util.DEFAULT_TIMEOUT_DURATION = 500.0


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays: no garbage collection needs to go through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in a folder of the tests' own: trial's ``mktemp`` makes its files where the process stands."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("cwd"))
    yield
    os.chdir(before)


@pytest.fixture(autouse=True, scope="session")
def _nothing_stays_behind() -> Iterator[None]:
    """What a fixture of a module has started and couldn't end."""
    yield
    processes.end_all_but()


@pytest.fixture(autouse=True, scope="module")
def _garbage_stays_at_home() -> Iterator[None]:
    """An error that nobody handled is told when its Deferred is collected: not in the midst of another module."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _a_test_ends_what_it_starts() -> Iterator[None]:
    """What still runs when a test is over is ended, however that went, and held against it."""
    others = processes.running()
    yield
    left = processes.end_all_but(others)
    assert not left, f"left running: {left}"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    """An exchange in a process of its own, with short time-outs, for the tests of the wire format."""
    running = RunningExchange(tmp_path_factory.mktemp("exchange"), SHORT_TIMES)
    yield running
    running.finish()


@pytest.fixture
def clients(exchange: RunningExchange) -> Iterator[Clients]:
    """Opens links to it."""
    opened = Clients(exchange)
    yield opened
    opened.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def memory() -> Memory:
    """An exchange in memory, on a clock that stands still, with the defaults of the wire's rules."""
    return Memory()
