"""The client in JavaScript: its own tests, the conformance kit, and many hand-offs over an exchange that is killed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipUnless

import pytest
from twisted.trial.unittest import SynchronousTestCase

from .processes import ROOT, Program, finished, surroundings
from .test_kill import DurableExchange
from .waiting import until

pytestmark = pytest.mark.gate
NODE = shutil.which("node")
CLIENT = ROOT / "clients" / "javascript"
HAND_OFFS = 1_000
TIMES = (60, 120, 600)
"""How long signalling, the fetch and the service may take, in seconds: no end comes by a time-out."""


@skipUnless(NODE, "needs Node")
class JavaScriptTests(SynchronousTestCase):
    """By programs of its own."""

    def test_its_own_tests(self) -> None:
        assert NODE is not None
        tests = sorted((CLIENT / "test").glob("*.test.js"))
        self.assertIn("# fail 0\n", finished([NODE, "--test", *tests], check=True, text=True).stdout)

    def conforms(self, role: str, codec: str, *only: str, not_seen: Sequence[str] = ()) -> None:
        """Play the conformance kit against it; some cases are about what it never does."""
        command = [
            sys.executable, "-c", "from ctiex.app.cli import main; main()", "conformance", role, "--codec", codec,
            "--listen", "tcp:0:interface=127.0.0.1", "--settle", "0.2",
            "--client", f"{NODE} {CLIENT / 'test-support' / 'conformance-client.js'}",
            *(word for name in only for word in ("--only", name)),
        ]  # fmt: skip
        done = finished(command, env=surroundings(), text=True)
        lines = done.stdout.splitlines()
        others = [line.split(":")[0].split() for line in lines[:-1] if not line.startswith("ok ")]
        self.assertEqual(others, [["not", "seen", name] for name in not_seen], done.stderr)
        self.assertIn(f" ok, 0 failed, {len(not_seen)} not seen", lines[-1], done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_its_agents_conform(self) -> None:
        self.conforms("agent", "binary", not_seen=["empty-serial"])

    def test_its_services_conform(self) -> None:
        self.conforms("service", "binary")

    def test_its_agents_conform_in_json(self) -> None:
        self.conforms("agent", "json", "usual", "extensions", "malformed-reply", "new-epoch", "unknown-final")

    def test_its_services_conform_in_json(self) -> None:
        self.conforms("service", "json", "usual", "extensions", "malformed-reply", "call-ended", "report-lost")

    def test_a_thousand_hand_offs_over_cut_links_and_a_killed_exchange(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        exchange = DurableExchange(directory, times=TIMES)
        self.addCleanup(exchange.stop)
        exchange.start()
        exchange.wait()
        lines = self.handed_over(exchange, directory / "hand-offs")
        found = json.loads(lines[-1])
        self.assertEqual(
            (found["lost"], found["doubled"], found["told"], found["asked"]), ([], [], [], HAND_OFFS), found
        )
        self.assertGreater(found["cuts"], 10)
        self.assertEqual(exchange.complaints(), [])

    def handed_over(self, exchange: DurableExchange, output: Path) -> Sequence[str]:
        """Kill it in the middle, and start it again; what the program says."""
        ports = map(str, (exchange.agent_port, exchange.service_port))
        command = [str(NODE), str(CLIENT / "test-support" / "hand-offs.js"), *ports, str(HAND_OFFS)]
        with output.open("wb") as file, Program[bytes](command, stdout=file, stderr=file) as program:
            until(lambda: b"half\n" in output.read_bytes(), output.read_text, program)
            exchange.kill()
            exchange.start()
            exchange.wait()
            code = program.ends()
        self.assertEqual(code, 0, output.read_text())
        return output.read_text().splitlines()
