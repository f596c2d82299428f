"""Programs that tests start: with the signals of a fresh terminal, waited for by what they do, always ended.

Every test that starts a program does it here; ``tests/test_processes.py`` says so.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import IO, Any, AnyStr

from benchmarks.server_process import free_port as free_port

from .waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
"""Where the commands are that were installed with this Python."""
TWISTD = (str(PROGRAMS / "twistd"), "--nodaemon", "--pidfile=")
FRESH = ("setpriv", "--pdeathsig", "KILL", "--", "env", "--default-signal", "--")
"""In front of a command: it ends with whoever started it, and no signal is ignored because it is so around the tests.

A script starts what it puts in the background with SIGINT ignored, ``nohup`` with SIGHUP, and both are inherited.
"""

_running: list[Program[Any]] = []


def surroundings(*places: Path, **more: str) -> dict[str, str]:
    """The environment of a program: it finds this checkout, and before it what is in these places."""
    path = os.pathsep.join(map(str, [*places, ROOT / "src", ROOT]))
    return {**os.environ, "PYTHONPATH": path, **more}


class Program(subprocess.Popen[AnyStr]):
    """A program in a session of its own, so that whatever it has started ends with it."""

    def __init__(self, command: Iterable[str | os.PathLike[str]], **options: Any) -> None:
        super().__init__([*FRESH, *command], start_new_session=True, **options)
        _running.append(self)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.poll() is None

    def ends(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self.wait(PATIENCE)

    def end(self) -> None:
        """Be sure that it is gone, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, SIGKILL)
        self.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            _close(pipe)
        if self in _running:
            _running.remove(self)

    def __exit__(self, *raised: object) -> None:
        """Nothing of it stays behind the ``with``."""
        self.end()


def _close(pipe: IO[AnyStr] | None) -> None:
    if pipe is not None:
        with suppress(OSError, ValueError):
            pipe.close()


def running() -> tuple[Program[Any], ...]:
    """Those that nobody has ended so far."""
    return tuple(_running)


def end_all_but(others: Iterable[Program[Any]] = ()) -> list[str]:
    """End the others; the commands of those that were still running."""
    stay, left = set(map(id, others)), []
    for program in reversed(running()):
        if id(program) not in stay:
            if program.is_running:
                left.append(" ".join(map(str, program.args[len(FRESH) :])))  # type: ignore[index]
            program.end()
    return left


def finished(
    command: Sequence[str | os.PathLike[str]],
    *,
    input: Any = None,
    check: bool = False,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end, as ``subprocess.run`` does, with its outputs captured.

    :param check: whether its exit code has to be 0.
    """
    outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    typed = subprocess.DEVNULL if input is None else subprocess.PIPE
    with Program[Any](command, stdin=typed, env=env, **outputs) as program:
        try:
            output, errors = program.communicate(input, PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{command} goes on; so far: {late.stdout!r} {late.stderr!r}") from None
    done = subprocess.CompletedProcess(command, program.returncode, output, errors)
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{output}\n{errors}"
    return done


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True
