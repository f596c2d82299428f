"""Drives the load generator: the program in C, or one Python process for each core where there is no compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks import histogram
from benchmarks.compiling import compiled
from benchmarks.machine import ROOT, load_cores
from benchmarks.server_process import environment, pinned
from benchmarks.work import Dialogue

_HOST = "127.0.0.1"


class WrongAnswer(Exception):
    """The generator gave up: what it says tells why."""


@frozen
class Shot:
    """What came of a shot."""

    answers: int
    seconds: float
    """From the first request to the last answer."""
    latency: list[tuple[int, int]]
    """(nanoseconds, count), of a paced shot."""


@cache
def program() -> tuple[str, ...]:
    """The command that runs the generator."""
    made = compiled("load")
    if made is not None:
        return (str(made),)
    print("There is no C compiler: Python processes make the load. They are slower than the fastest of these servers,")
    print("whose batches come out smaller for it; on Debian, apt-get install gcc.", flush=True)
    return (sys.executable, str(Path(__file__).with_name("python_load.py")))


def language() -> str:
    """What the generator is written in."""
    return "C" if len(program()) == 1 else "Python"


def plan_lines(dialogue: Dialogue, port: int, connections: int, in_flight: int) -> Iterator[str]:
    """A plan, as ``load.c`` explains it."""
    yield f"connect {_HOST} {port}"
    yield f"connections {connections}"
    yield f"in-flight {in_flight}"
    yield f"framing {dialogue.framing}"
    yield f"size {dialogue.size}"
    for offset, expected in dialogue.expect:
        yield f"expect {offset} {expected.hex()}"
    for in_answer, in_request, size in dialogue.match:
        yield f"match {in_answer} {in_request} {size}"
    if dialogue.counter is not None:
        yield f"counter {dialogue.counter}"
    if dialogue.heartbeat:
        yield "heartbeat"
    if dialogue.prologue:
        yield f"prologue {dialogue.prologue_answers} {dialogue.prologue.hex()}"
    if dialogue.prologue_expect is not None:
        yield f"prologue-expect {dialogue.prologue_expect[0]} {dialogue.prologue_expect[1].hex()}"
    for request in dialogue.requests:
        yield f"request {request.hex()}"
    yield "open"


class OrderedProcess:
    """A process on a core of its own that takes orders, a line each, and answers each with a line of JSON."""

    def __init__(self, core: int, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core),
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, text: str) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it had to say before it ended comes with the answer

    def answer(self) -> dict[str, Any]:
        """Wait for what it says.

        :raise WrongAnswer: it says that something is wrong, or has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said: dict[str, Any] = json.loads(line) if line else {"error": "it has ended without a word"}
        if "error" in said:
            raise WrongAnswer(said["error"])
        return said

    def close(self) -> None:
        """Let it end."""
        self.order("quit")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Generator:
    """Open connections to one server, ready for shots."""

    def __init__(
        self,
        dialogue: Dialogue,
        port: int,
        connections: int,
        in_flight: int = 1,
        command: tuple[str, ...] | None = None,
    ) -> None:
        """Open the connections.

        :raise WrongAnswer: the server doesn't take them.
        """
        command = command or program()
        on = load_cores() if len(command) > 1 else load_cores()[:1]
        shares = [connections // len(on) + (place < connections % len(on)) for place in range(len(on))]
        self._processes = [OrderedProcess(core, command) for core, share in zip(on, shares, strict=True) if share]
        try:
            for process, share in zip(self._processes, filter(None, shares), strict=True):
                process.order("\n".join(plan_lines(dialogue, port, share, in_flight)))
            for process in self._processes:
                process.answer()
        except WrongAnswer:
            self.close()
            raise

    def run(self, seconds: float, rate: float = 0) -> Shot:
        """Fire a shot.

        :param rate: requests a second in all; 0: as fast as answers come.
        :raise WrongAnswer: an answer was wrong, missing, or too many.
        """
        for process in self._processes:
            process.order(f"run {seconds} {rate / len(self._processes)}")
        said = [process.answer() for process in self._processes]
        latency = histogram.added([(int(at), int(count)) for at, count in one["latency"]] for one in said)
        return Shot(sum(one["answers"] for one in said), max(one["seconds"] for one in said), latency)

    def close(self) -> None:
        """Close the connections."""
        for process in self._processes:
            process.close()
