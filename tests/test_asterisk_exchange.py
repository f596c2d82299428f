"""An exchange with an Asterisk: its configuration, and a call from end to end over TCP."""

from __future__ import annotations

import tomllib
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.app.exchange import Exchange
from ctiex.clients import AgentClient, ExchangeAccount
from ctiex.config.model import Configuration
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError
from ctiex.messages import AgentEvent, Condition
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings
from tests.fake_asterisk import SECRET
from tests.fake_platform import Leg, PlatformAsterisk

from .waiting import PATIENCE, eventually

SERVICE = '[services.bill]\naccess_code = "7000"\nsignalling = "{}"\nrequest.keep = ["*"]\n'
DRIVER = f'[signalling.asterisk]\nusername = "ctiex"\nsecret = "{SECRET}"\ndial = "PJSIP/{{access_code}}@core"\n'


def read(text: str) -> Configuration:
    """The configuration in a text."""
    return parse(tomllib.loads(text), "ctiex.toml")


class ConfigurationTests(SynchronousTestCase):
    """``[signalling.asterisk]`` in a file."""

    def errors(self, text: str) -> list[str]:
        """What is wrong with a file."""
        return list(wrong_plugins(read(text)))

    def test_a_driver_gets_its_own_table_and_the_keys_of_its_services(self) -> None:
        configuration = read(DRIVER + SERVICE.format("asterisk") + "ring = 7\n")
        self.assertEqual(list(wrong_plugins(configuration)), [])
        driver: Any = Exchange(configuration, reactor).parts.drivers["asterisk"]
        platform = driver._platform
        self.assertEqual(
            (platform._settings.secret, platform._services), (SECRET, {"bill": AsteriskServiceSettings(ring=7)})
        )

    def test_its_secret_is_in_no_repr(self) -> None:
        self.assertNotIn(SECRET, repr(read(DRIVER + SERVICE.format("asterisk"))))

    def test_each_thing_that_is_wrong_has_its_line(self) -> None:
        text = DRIVER.replace("username", "user") + 'ring = "soon"\n' + SERVICE.format("asterisk")
        self.assertEqual(
            [line.split(" found")[0].split(" missing")[0] for line in self.errors(text)],
            [f"signalling.asterisk.{key}:" for key in ("ring", "user", "username")],
        )

    def test_a_service_of_it_needs_the_table(self) -> None:
        [*lines] = self.errors(SERVICE.format("asterisk"))
        self.assertTrue(lines)
        self.assertTrue(all(line.startswith("signalling.asterisk.") for line in lines), lines)

    def test_a_table_that_no_service_needs_is_told(self) -> None:
        error = self.assertRaises(ConfigurationError, read, DRIVER + SERVICE.format("link"))
        self.assertIn("signalling.asterisk: found settings of a driver that no service uses", str(error))

    def test_a_driver_without_settings_takes_none(self) -> None:
        [line] = self.errors("[signalling.link]\nx = 1\n" + SERVICE.format("link"))
        self.assertIn("signalling.link.x: found an unknown key, expected none", line)


class EndToEnd(TestCase):
    """The agent's application is told of a call, has it forwarded, and hears what became of it."""

    async def test_a_call_is_told_and_its_serial_hands_it_over(self) -> None:
        await self.hand_over("13800138000**999", "13800138000", "13800138000")

    async def test_so_is_the_call_of_a_customer_whose_number_is_a_name(self) -> None:
        for name in ("john.doe", "alice-w", "bob_1", "13800138000;phone-context=+86"):
            await self.hand_over(name, name, "")

    async def hand_over(self, number: str, told: str, sent: str) -> None:
        """A customer calls; the agent is told and hands them over, and the service is called with what can be sent."""
        asterisk = PlatformAsterisk()
        asterisk.on_dialled = lambda customer: self.refused(asterisk, customer)
        port = await asterisk.listen(reactor)
        self.addCleanup(port.stopListening)
        address: Any = port.getHost()
        listen = (
            '[links.agent]\nlisten = "tcp:0:interface=127.0.0.1"\n[links.ivr]\nlisten = "tcp:0:interface=127.0.0.1"\n'
        )
        table = DRIVER + f'endpoint = "tcp:127.0.0.1:{address.port}"\ncustomers = "PJSIP/trunk-"\n'
        exchange = Exchange(read(listen + table + SERVICE.format("asterisk")), reactor)
        exchange.startService()
        self.addCleanup(exchange.stopService)
        await exchange.started()
        agents: Any = exchange.agent_port
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{agents.getHost().port}")
        client = AgentClient(reactor, ExchangeAccount(endpoint, "agent-demo", "demo"))
        client.startService()
        self.addCleanup(client.stopService)
        arrived: Deferred[AgentEvent] = Deferred()
        agent = await client.login("1001", lambda event: arrived.called or arrived.callback(event))
        customer = asterisk.platform.call("1001", number)
        event = await arrived
        self.assertEqual(dict(event.fields), {"event": "call", "calling_number": told})
        hand_off = await agent.connect("bill", told, serial=event.serial)
        final = await hand_off.result(PATIENCE)
        self.assertEqual((final.condition, final.status), (Condition.UNREACHABLE, 32))
        self.assertEqual(asterisk.platform.dialled, [("PJSIP/7000@core", f"{sent}**{event.serial}")])
        self.assertEqual((customer.place, asterisk.platform.lost()), ("talk", []))
        asterisk.platform.call("1002")
        late: Deferred[AgentEvent] = Deferred()
        await eventually(lambda: len(exchange.parts.drivers["asterisk"]._calls.conversations) == 2)
        await client.login("1002", late.callback)
        self.assertEqual((await late).fields["event"], "call")

    def refused(self, asterisk: PlatformAsterisk, customer: Leg) -> None:
        """The service is busy."""
        asterisk.platform.refuse(customer, "BUSY", "17")
