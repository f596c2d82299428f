"""The client in JavaScript controls the calls of a real exchange over TCP, on a simulated platform."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipUnless

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ctiex.app.exchange import Exchange
from ctiex.call_messages import AgentStateCode, ConnectionState
from ctiex.config.reading import parse
from ctiex.interfaces.call_platform import LegPlace, LegState
from ctiex.interfaces.signalling import ISignalling, SignallingContext
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.testing.simulated_platform.devices import Device
from ctiex.testing.simulated_platform.hand_offs import SimulatedHandOffs
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

from .call_exchange import CUSTOMER
from .exchange_case import links, port_number
from .processes import ROOT, Program, surroundings
from .waiting import eventually

pytestmark = pytest.mark.gate
NODE = shutil.which("node")
DESK = ROOT / "clients" / "javascript" / "test-support" / "desk.js"
OTHER_CUSTOMER = "13900139000"
CONFIGURATION = {
    "links": links(),
    "identities": {
        "desk": {"role": "agent", "secret": "desk-secret", "agents": ["1001-1099"]},
        "ivr": {"role": "service", "secret": "ivr-secret", "services": ["bill"]},
    },
    "calls": {"not_ready_reasons": ["lunch"]},
    "services": {
        "bill": {"access_code": "8001"},
        "by-telephone": {"access_code": "8002", "signalling": "telephone"},
    },
}


@skipUnless(NODE, "needs Node")
class JavaScriptCallTests(TestCase):
    """Desks that are a program of their own; their telephones, and the customers, are played here."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.platform = SimulatedPlatform(reactor)
        self.board = self.platform.board
        for agent in ("1001", "1002"):
            self.board.devices[agent] = Device(agent)
        self.exchange = Exchange(parse(CONFIGURATION), reactor, {"telephone": self.driver})
        self.exchange.startService()
        self.addCleanup(self.exchange.stopService)
        await self.exchange.started()

    def driver(self, context: SignallingContext) -> ISignalling:
        driver: ISignalling = TransferSignalling(SimulatedHandOffs(self.platform), context.listener, self.platform)
        return driver

    def desk(self) -> Program[bytes]:
        """Start the desks; what they say comes into a file."""
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.output = Path(temporary.name) / "output"
        ports = [str(port_number(port)) for port in (self.exchange.agent_port, self.exchange.ivr_port)]
        with self.output.open("wb") as output:
            program = Program[bytes](
                [str(NODE), str(DESK), *ports], stdin=-1, stdout=output, stderr=output, env=surroundings()
            )
        self.addCleanup(program.end)
        return program

    async def says(self, program: Program[bytes], line: str, times: int = 1) -> None:
        """Wait for a line."""

        def said() -> bool:
            output = self.output.read_text()
            assert not program.poll(), output
            return output.splitlines().count(line) >= times

        await eventually(said, self.output.read_text)

    async def test_a_desk_rings_holds_consults_transfers_and_comes_back_behind_a_lost_link(self) -> None:
        program = self.desk()
        await self.says(program, "ring")
        customer = self.board.calls_in(CUSTOMER, "1001")
        await self.says(program, "pick up")
        [ringing] = self.board.legs.of_agent("1002")
        self.board.pick_up(ringing)
        await self.says(program, "ring", times=2)
        other = self.board.calls_in(OTHER_CUSTOMER, "1001")
        await self.says(program, "hang up")
        await eventually(lambda: other.place is LegPlace.HOLD)
        self.board.hang_up(customer)
        await eventually(lambda: not any(True for _ in self.platform.legs.of_agent("1002")))
        assert program.stdin is not None
        program.stdin.write(b"it has\n")
        program.stdin.flush()
        await eventually(lambda: program.poll() is not None, self.output.read_text)
        found = json.loads(self.output.read_text().splitlines()[-1])
        self.assertEqual(
            found,
            {
                "errors": [],
                "rings": [CUSTOMER, True, False, AgentStateCode.RESERVED],
                "held": [ConnectionState.HELD, True],
                "handOff": [True, "6222"],
                "refused": 61,
                "consultation": [True, True],
                "rung": "bill",
                "transferred": [True, True],
                "data": ["6222", "12.50", "bill", CUSTOMER],
                "lost": "LinkLost",
                "stale": [ConnectionState.CONNECTED, 1],
                "snapshot": [True, True, 0, [[other.id, "shown"]], [[customer.id, "cleared"]]],
                "same": True,
                "state": "lunch",
            },
        )
        holds = [name for name in self.platform.orders if name in ("part", "hold")]
        self.assertEqual(holds, ["part", "hold", "part"], "two holds and a consultation, each carried out once")
        self.assertEqual([leg for leg in self.board.legs.all() if leg.state is LegState.CONNECTED], [])
