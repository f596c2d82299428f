"""The driver of Asterisk with a platform of the tests' own: every event and every action waits until it is its turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, TaskStopped
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import LinkLost
from ctiex.interfaces import ISignallingListener, Offer
from ctiex.messages import Connection
from ctiex.serials import SerialAllocator
from ctiex.settings import structure
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.testing.signalling_contract import RecordingListener
from tests.fake_platform import Event, Leg, Platform

TABLE: Mapping[str, Any] = {
    "username": "ctiex",
    "secret": "the-secret-of-the-manager",
    "dial": "PJSIP/{access_code}@core",
    "customers": "PJSIP/trunk-",
    "fallback": "queues,800,1",
}
ENDS = frozenset({"unreachable", "returned", "agent_lost", "hung_up"})


@implementer(ISignallingListener)
class Exchange(RecordingListener):
    """A watcher that withdraws a call when it has ended, as the processing service does."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._allocator = SerialAllocator("1", world.clock.seconds, Random(1))
        self.names: dict[str, str] = {}
        """The numbers of the customers whom the serials name that were ever told."""

    def call_arrived(self, agent: str, calling_number: str, customer: str = "") -> str:
        """As the processing service does: a serial that shows that it was told."""
        if not super().call_arrived(agent, calling_number):
            return ""
        serial = self._allocator.allocate(self.names.__contains__, told=True)
        self.names[serial] = calling_number
        return serial

    def asked_without(self) -> str:
        """The serial of a request that came without one."""
        return self._allocator.allocate(self.names.__contains__)

    def unreachable(self, serial: str, status: int) -> None:
        """Nobody is left."""
        super().unreachable(serial, status)
        self._world.driver.withdraw(serial)

    def returned(self, serial: str) -> None:
        """The customer is back."""
        super().returned(serial)
        self._world.driver.withdraw(serial)

    def agent_lost(self, serial: str) -> None:
        """The customer is elsewhere."""
        super().agent_lost(serial)
        self._world.driver.withdraw(serial)

    def hung_up(self, serial: str) -> None:
        """The customer has hung up."""
        super().hung_up(serial)
        self._world.driver.withdraw(serial)


class WaitingClient:
    """Stands in for the connection: what is asked waits to be done, what is told waits to be heard."""

    def __init__(
        self, on_event: Callable[[AmiMessage], None], on_login: Callable[[], Any], on_lost: Callable[[], None]
    ) -> None:
        self.on_event = on_event
        self.on_login = on_login
        self.on_lost = on_lost
        self.connected = False
        self.asked: deque[tuple[str, dict[str, str], Deferred[AmiMessage]]] = deque()
        self.unanswered: list[Deferred[AmiMessage]] = []
        self._each: dict[Deferred[AmiMessage], Callable[[AmiMessage], None]] = {}

    def startService(self) -> None:
        """The world connects it."""

    def stopService(self) -> Deferred[None]:
        """Nothing to stop."""
        return succeed(None)

    def log_in(self) -> None:
        """Let it in; what the driver fails with is the test's to see, but for a connection that is lost meanwhile."""
        self.connected = True
        taken_up = self.on_login()
        taken_up.addErrback(lambda failure: failure.trap(LinkLost, TaskStopped) and None)

    def reconnect(self, reason: str) -> None:
        """Asterisk is never refused its lists here; a test whose Asterisk doesn't answer takes this over."""
        raise AssertionError("the picture of the platform was refused")

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] = lambda event: None
    ) -> Deferred[AmiMessage]:
        """Have it wait until it is its turn."""
        if not self.connected:
            return fail(Failure(LinkLost("not connected")))
        answer: Deferred[AmiMessage] = Deferred()
        self._each[answer] = each
        self.asked.append((name, dict(headers), answer))
        self.unanswered.append(answer)
        return answer

    def answered(self, answer: Deferred[AmiMessage], answered: AmiMessage | Failure, events: list[AmiMessage]) -> None:
        """The answer is heard, with the events of its list."""
        each = self._each.pop(answer)
        if answer.called:
            return
        self.unanswered.remove(answer)
        for event in events:
            each(event)
        answer.callback(answered)


class World:
    """A platform, an exchange, and the wire between them."""

    def __init__(self, table: Mapping[str, Any] = TABLE, services: Mapping[str, Any] | None = None) -> None:
        self.clock = Clock()
        self.platform = Platform(self._emit)
        self.listener = Exchange(self)
        self._told: deque[Callable[[], None]] = deque()
        self._table = table
        self._services = services or {"bill": AsteriskServiceSettings()}
        self.start()

    def start(self) -> None:
        """A new exchange, not connected yet."""
        settings = structure(self._table, AsteriskSettings)
        platform = AsteriskPlatform(self.clock, settings, self._services, WaitingClient)
        self.driver = TransferSignalling(platform, self.listener)
        self.client: WaitingClient = platform._client
        self.driver.start()

    def connect(self) -> None:
        """Let the exchange in."""
        if not self.client.connected:
            self.client.log_in()

    def cut(self, done: bool = False) -> None:
        """Break the connection; what was asked is done, or lost as well."""
        if not self.client.connected:
            return
        asked, self.client.asked = self.client.asked, deque()
        unanswered, self.client.unanswered = self.client.unanswered, []
        if done:
            for name, headers, _ in asked:
                if name in ("Setvar", "Redirect"):
                    self.platform.act(name, headers)
        self._told.clear()
        self.client.connected = False
        for answer in unanswered:
            if not answer.called:
                answer.errback(LinkLost("cut"))
        self.client.on_lost()

    # ------------------------------------------------------------ the wire

    def _emit(self, event: Event) -> None:
        if self.client.connected:
            self._told.append(lambda: self.client.on_event(AmiMessage(tuple(event))))

    def perform(self) -> bool:
        """Have the platform do one thing that it was asked."""
        if not self.client.asked:
            return False
        name, headers, answer = self.client.asked.popleft()
        answered, events = self._answer(name, headers)
        self._told.append(lambda: self.client.answered(answer, answered, events))
        return True

    def _answer(self, name: str, headers: dict[str, str]) -> tuple[AmiMessage | Failure, list[AmiMessage]]:
        response = AmiMessage((("Response", "Success"),))
        if name in ("Status", "BridgeList"):
            event, rows = ("Status", self.platform.channels()) if name == "Status" else ("", self.platform.bridges())
            return response, [_row(event or "BridgeListItem", row) for row in rows]
        refused = self.platform.act(name, headers)
        return Failure(ActionRefused(refused)) if refused else response, []

    def hear(self) -> bool:
        """Have the exchange hear one thing."""
        if not self._told:
            return False
        self._told.popleft()()
        return True

    def take_up(self) -> bool:
        """Have the exchange take up a lot of the calls that it has looked at."""
        if not self.clock.calls:
            return False
        turn = self.clock.calls.pop(0)  # Clock.advance would run the lots behind it in the same turn
        turn.called = 1
        turn.func(*turn.args, **turn.kw)
        return True

    def settle(self) -> None:
        """Everything that was asked is done, and everything told is heard."""
        for _ in range(10_000):
            if not (self.perform() | self.hear() | self.take_up()):
                return
        raise AssertionError("it never comes to an end")

    # ------------------------------------------------------------ offers

    def offer(self, serial: str, agent: str = "1001", resumed: bool = False, **more: Any) -> None:
        """The exchange offers a call."""
        number = more.pop("number", "13800138000")
        access_code = more.pop("access_code", "7000")
        connection = Connection(access_code, f"{number}**{serial}", "exchange:7301")
        self.driver.offer(Offer(serial, "bill", number, connection, inf, resumed, agent=agent, **more))

    def forwarded(self, agent: str = "1001", serial: str = "7") -> Leg:
        """A customer for whom a service is called, everything settled."""
        customer = self.platform.call(agent)
        self.connect()
        self.settle()
        self.offer(serial, agent)
        self.settle()
        return customer

    def told_for(self, customer: Leg) -> str:
        """The serial that the customer's agent was told last."""
        return customer.variables["CTIEX_TALK"]

    def dialling(self) -> list[Leg]:
        """The customers for whom a service is called."""
        return [leg for leg in self.platform.legs.values() if leg.place == "dialling"]

    def ends(self, serial: str) -> list[str]:
        """The ends that were told of a call."""
        return [what for what in self.listener.of(serial) if what in ENDS]


def _row(event: str, row: Mapping[str, str]) -> AmiMessage:
    variables = [("Variable", one) for one in row.get("Variables", "").split(",") if one]
    told = [(key, value) for key, value in row.items() if key != "Variables"]
    return AmiMessage((("Event", event), *told, *variables))
