"""The steps that scenarios share: talk, hand over, be served, come back, part; and that nothing is left behind."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from ctiex.clients import HandOff, Position
from ctiex.fields import Fields, Value
from ctiex.messages import AgentEvent, Condition

from .hand_over import PASSWORD, HandOverWorld
from .happenings import LONGEST, PATIENCE, Happenings
from .phones import Phone
from .tap import SipMessage
from .world import AGENT_TONE, CUSTOMER_TONE

MARK = "a-note-of-this-call"
FIELDS: dict[str, dict[str, Value]] = {
    PASSWORD: {
        "account": "1001",
        "area": "010",
        "vip_level": 1,
        "password_level": "common",
        "prompt_tone": "formal",
        "note": MARK,
    },
    "number-broadcast": {"number": "075526770000", "customer_type": "vip", "note": MARK},
    "bill-broadcast": {"account": "1001", "period": "2026-10", "level": "total", "note": MARK},
}
THE_PASSWORD = "246810"
BEARABLE = 2.5
"""How long a customer may hear nothing while nobody waits for their answer, in seconds."""
WHOLE = [
    Condition.CONNECTING,
    Condition.CONNECTED,
    Condition.DATA_FETCHED,
    Condition.PROGRESS,
    Condition.COMPLETED,
    Condition.RETURNED,
]
"""What the agent's application hears of a call that goes well; those in the middle may change places."""
_ORDINARY = {
    "via", "from", "to", "contact", "call-id", "cseq", "allow", "supported", "session-expires", "min-se",
    "max-forwards", "user-agent", "server", "content-type", "content-length", "record-route", "route", "require",
    "p-asserted-identity", "remote-party-id", "privacy", "reason", "date", "accept",
}  # fmt: skip
"""Headers that every call has."""


class Desk:
    """An agent: their telephone, and their application."""

    def __init__(self, world: HandOverWorld, index: int) -> None:
        self.phone = world.agents[index]
        self.events: Happenings[AgentEvent] = Happenings(reactor, f"application of agent {self.phone.number}")
        self.serial = ""
        """Of the call that goes on."""
        self._client = world.exchange.client()

    async def log_in(self, position: Position | None = None) -> None:
        """Open the application."""
        self._client.startService()
        self.agent = await self._client.login(self.phone.number, self.events.tell, position=position)

    async def leave(self) -> None:
        """Close the application."""
        await self._client.stopService()

    async def told_of(self, customer: Phone, since: int = 0) -> str:
        """The serial under which the application is told that it talks with a customer."""
        number = customer.number.partition("**")[0]
        event = await self.events.wait(
            lambda event: event.fields.get("event") == "call" and event.fields.get("calling_number") == number,
            f"the call of {number}", since,
        )  # fmt: skip
        return event.serial

    async def hand_over(self, service: str, customer: Phone) -> HandOff:
        """Have the customer served with whom the agent talks."""
        return await self.agent.connect(service, customer.number, Fields(FIELDS[service]), self.serial)

    async def hears(self, condition: Condition, serial: str, patience: float = PATIENCE) -> AgentEvent:
        """The event of this condition of one call."""
        return await self.events.wait(
            lambda event: event.condition is condition and event.serial == serial,
            f"{condition.text} of {serial}", patience=patience,
        )  # fmt: skip

    def conditions(self, serial: str) -> list[Condition]:
        """What was told of one call, in order."""
        return [event.condition for event in self.events if event.serial == serial and "event" not in event.fields]


class Scene(TestCase):
    """A scenario: starts the world, and sees that nothing is left of it."""

    timeout = LONGEST
    version: ClassVar[int] = 22
    people: ClassVar[int] = 1
    """How many customers, and as many agents."""
    spare_agents: ClassVar[int] = 0
    signalling: ClassVar[str] = "ring = 10"
    times: ClassVar[str] = ""
    options: ClassVar[dict[str, Any]] = {}
    """Other arguments of the world."""

    def setUp(self) -> Deferred[None]:
        """Start everything, and log the agents in."""
        agents = self.people + self.spare_agents
        self.world = HandOverWorld(
            reactor, self.version, self.people, agents, self.signalling, self.times, **self.options
        )
        self.desks = [Desk(self.world, index) for index in range(agents)]
        self.addCleanup(lambda: ensureDeferred(self.world.stop()))
        self.addCleanup(lambda: ensureDeferred(self._close_desks()))
        return ensureDeferred(self._start())

    async def _start(self) -> None:
        await self.world.start()
        for desk in self.desks:
            await desk.log_in()

    async def _close_desks(self) -> None:
        for desk in self.desks:
            await desk.leave()

    @property
    def desk(self) -> Desk:
        """The first agent's."""
        return self.desks[0]

    # ------------------------------------------------------------ steps

    async def talk(self, index: int = 0, number: str = "") -> None:
        """Step 1: the customer calls, and talks with the agent."""
        customer, agent = self.world.customers[index], self.desks[index].phone
        for phone in (customer, agent):
            self.world.tap.new_call(phone.host)
        mark, told = len(self.world.tap.sounds), len(self.desks[index].events)
        await customer.dial(number or agent.number)
        await self._hear_each_other(customer, agent, mark)
        self.desks[index].serial = await self.desks[index].told_of(customer, told)

    async def _hear_each_other(self, customer: Phone, agent: Phone, mark: int) -> None:
        await self.world.hears(customer, f"{AGENT_TONE} Hz", mark)
        await self.world.hears(agent, f"{CUSTOMER_TONE} Hz", mark)

    async def begin(self, index: int = 0, service: str = PASSWORD) -> HandOff:
        """Steps 1 to 6: until the service speaks to the customer."""
        await self.talk(index)
        mark = len(self.world.tap.sounds)
        hand_off = await self.desks[index].hand_over(service, self.world.customers[index])
        await self.desks[index].hears(Condition.DATA_FETCHED, hand_off.serial)
        await self.world.hears(self.world.customers[index], "voice", mark)
        return hand_off

    async def called(self) -> None:
        """The call to the service has come as far as platform 2."""
        ends = (self.world.addresses.core, self.world.addresses.platform_2)
        await self.world.tap.messages.wait(
            lambda message: message.method == "INVITE" and (message.source, message.target) == ends,
            "the call to platform 2",
        )

    async def back_together(self, index: int = 0, mark: int = 0) -> None:
        """The customer is back: both hear each other again."""
        await self._hear_each_other(self.world.customers[index], self.desks[index].phone, mark)

    async def type_password(self, index: int = 0) -> None:
        """The customer types what is asked for."""
        await self.world.customers[index].type(f"{THE_PASSWORD}#")

    async def authenticate(self, index: int = 0) -> str:
        """All eight steps; the serial."""
        hand_off = await self.begin(index)
        mark = len(self.world.tap.sounds)
        await self.type_password(index)
        final = await hand_off.result(PATIENCE)
        self.assert_authenticated(final)
        await self.desks[index].hears(Condition.RETURNED, hand_off.serial)
        await self.back_together(index, mark)
        self.assertEqual(sorted(self.desks[index].conditions(hand_off.serial)), sorted(WHOLE))
        return hand_off.serial

    def assert_authenticated(self, final: AgentEvent) -> None:
        """The result says that the password was right."""
        self.assertEqual((final.condition, final.fields.get("valid")), (Condition.COMPLETED, True))

    async def part(self, index: int = 0) -> None:
        """The customer hangs up, and the agent's phone is free."""
        mark = len(self.desks[index].phone.happened)
        await self.world.customers[index].hang_up()
        await self.desks[index].phone.event("CALL_CLOSED", mark)

    async def nothing_is_left(self) -> None:
        """No channel, no bridge, no call, no telephone off the hook, and no complaint of the exchange."""
        await self.world.no_leftovers()
        self.assertEqual([phone.number for phone in self._phones if phone.in_call], [])
        self.assertEqual(self.world.exchange.complaints(), [])

    @property
    def _phones(self) -> list[Phone]:
        return [*self.world.customers, *self.world.agents]

    # ------------------------------------------------------------ what is held

    def invitations(self, source: str, target: str) -> list[SipMessage]:
        """The INVITEs that open a call from one host to another."""
        return [
            message
            for message in self.world.tap.messages
            if message.method == "INVITE" and message.request and "tag=" not in message.header("To")
            and (message.source, message.target) == (source, target)
        ]  # fmt: skip

    def assert_only_the_serial_travels(self, customer: Phone, serial: str) -> None:
        """The serial is in the calling number, and nothing else of the call is in the signalling."""
        addresses = self.world.addresses
        for source, target in ((addresses.platform_1, addresses.core), (addresses.core, addresses.platform_2)):
            numbers = [message.calling_number for message in self.invitations(source, target)]
            self.assertIn(f"{customer.number}**{serial}", numbers)
        between = {addresses.core, addresses.platform_2}
        for message in self.world.tap.messages:
            self.assertNotIn(MARK, message.text)
            self.assertNotIn(THE_PASSWORD, message.text)
            if between & {message.source, message.target}:
                headers = {line.partition(":")[0].strip().lower() for line in message.head.split("\r\n")[1:]}
                self.assertEqual(headers - _ORDINARY, set(), message.text)
