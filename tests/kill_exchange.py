"""An exchange that is killed and started again, and the load on it; each is a process of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctiex.records import StoreSnapshot
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile

from .kill_account import Account, read_ledger
from .kill_load import SHORT_TIMES, configuration
from .processes import TWISTD, Program, accepts, free_port, surroundings
from .waiting import until


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


def has_noted(directory: Path, what: str, times: int) -> None:
    """Wait until the load has noted this so many times."""
    line = json.dumps({"what": what})[:-1].encode()
    until(lambda: (directory / "ledger").read_bytes().count(line) >= times, (directory / "load.output").read_text)


def let_end(load: Program[bytes], directory: Path) -> Account:
    """Let the load end all its calls; what its ledger comes to."""
    load.send_signal(signal.SIGTERM)
    code = load.ends()
    account = read_ledger(directory / "ledger")
    assert code == 0 and account.ended, (code, account.lost[:5], (directory / "load.output").read_text()[-2000:])
    return account


def kept_in(directory: Path) -> StoreSnapshot:
    """What the store of an exchange that has stopped keeps."""
    path = directory / "calls.sqlite"
    file = SqliteFile(path, Seal(find_key(Path(f"{path}.key"), make=False)))
    try:
        assert file.check() == []
        return file.read()
    finally:
        file.close()
