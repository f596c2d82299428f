"""The exchange as an operator starts it: by ``twistd`` and ``twist``, a process of its own."""

from __future__ import annotations

import io
import json
import socket
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.logger import eventsFromJSONLogFile, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from .processes import PROGRAMS, ROOT, Program, free_port, surroundings
from .waiting import PATIENCE, until


def answers(port: int) -> bool:
    """Whether an exchange answers a Ping there: its port takes connections a little before it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as link:
            link.sendall(PING)
            return link.recv(64) == PONG
    except ConnectionRefusedError:
        return False


PING, PONG = bytes.fromhex("00000008 02050000 00000001"), bytes.fromhex("00000008 02060000 00000001")


@contextmanager
def started(command: list[str], *options: str) -> Any:
    """A runner as a process: on the checkout's modules, output and errors together."""
    words = [PROGRAMS / command[0], *command[1:], "ctiex", *options]
    with Program[str](words, cwd=ROOT, env=surroundings(), stdout=PIPE, stderr=STDOUT, text=True) as process:
        yield process


TWISTD = ["twistd", "-n", "--pidfile="]


class RunnerTests(SynchronousTestCase):
    """``twistd ctiex`` and ``twist ctiex`` as an operator starts them."""

    def output_of_a_run(self, *command: str) -> str:
        """Start it, see that it accepts links, end it by SIGTERM; what it wrote."""
        ports = free_port(), free_port()
        options = [
            f"--{side}-listen=tcp:{port}:interface=127.0.0.1"
            for side, port in zip(("agent", "ivr"), ports, strict=True)
        ]
        with started(list(command), *options) as process:
            until(lambda: all(map(answers, ports)), lambda: "it doesn't listen", process)
            process.send_signal(SIGTERM)
            output, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, output)
            return str(output)

    def test_twistd(self) -> None:
        self.assertIn("exchange 1 is ready", self.output_of_a_run(*TWISTD))

    @pytest.mark.gate
    def test_twistd_with_json(self) -> None:
        output = self.output_of_a_run(*TWISTD, "--logger=ctiex.app.logs.json")
        events = [json.loads(line) for line in output.splitlines()]
        (ready,) = [event for event in events if event["text"].startswith("exchange 1 is ready")]
        self.assertEqual((ready["level"], ready["namespace"], ready["id"]), ("info", "ctiex.app.exchange", "1"))

    @pytest.mark.gate
    def test_twistd_with_lines_for_people(self) -> None:
        self.assertIn(
            "[ctiex.app.exchange#info] exchange 1", self.output_of_a_run(*TWISTD, "--logger=ctiex.app.logs.human")
        )

    @pytest.mark.gate
    def test_twist(self) -> None:
        self.assertIn("exchange 1 is ready", self.output_of_a_run("twist", "--log-format=text"))

    @pytest.mark.gate
    def test_twist_with_json(self) -> None:
        output = self.output_of_a_run("twist", "--log-format=json")
        texts = [formatEvent(event) for event in eventsFromJSONLogFile(io.StringIO(output))]
        self.assertTrue(any(text.startswith("exchange 1 is ready") for text in texts), texts)

    def test_a_configuration_of_no_use_is_told_and_ends_it(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "exchange.toml")
        path.write_text("[links.agent]\nlisten = 7300\n")
        for command, code in ((TWISTD, 1), (["twist"], 64)):  # twist keeps to sysexits.h
            with started(command, f"--config={path}") as process:
                output, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, code, output)
            self.assertIn(f"{path}: links.agent.listen: found 7300, expected an endpoint", output)
            self.assertNotIn("Traceback", output)

    def test_a_port_in_use_is_told_and_ends_it(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for command in (TWISTD, ["twist"]):
                with started(command, f"--agent-listen=tcp:{port}:interface=127.0.0.1",
                             "--ivr-listen=tcp:0:interface=127.0.0.1") as process:  # fmt: skip
                    output, _ = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 1, output)
                self.assertIn(f"Couldn't listen on 127.0.0.1:{port}", output)
