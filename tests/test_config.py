"""The configuration: defaults, files, and the plugins it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from attrs import field, has, make_class
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

import ctiex.config.model
import ctiex.plugins
from ctiex.app.exchange import Exchange
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import exchange_address, load, parse
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ICodecPlugin, IJournalPlugin, IOrganizerPlugin, ISignallingPlugin
from ctiex.login.secret_hashes import SecretHash
from ctiex.messages import Role
from ctiex.plugins import find_plugin
from ctiex.settings.checks import REST

from .configurations import HASH, OWN, PLAIN, read

KEEP = "request = { keep = ['*'] }\n"
"""Says that a service may see everything, which is warned of otherwise."""


class DefaultTests(SynchronousTestCase):
    """What there is without a file."""

    def test_links_listen_on_loopback(self) -> None:
        configuration = load()
        self.assertEqual(configuration.agent_link.listen, "tcp:7300:interface=127.0.0.1")
        self.assertEqual(configuration.ivr_link.listen, "tcp:7301:interface=127.0.0.1")
        self.assertEqual(exchange_address(configuration), "127.0.0.1:7301")

    def test_the_demo_identities_and_services_are_there_with_a_warning(self) -> None:
        configuration = load()
        agent, service = configuration.identities["agent-demo"], configuration.identities["service-demo"]
        self.assertTrue(configuration.demo_identities)
        self.assertEqual((agent.secret, service.secret), ("demo", "demo"))
        self.assertEqual((agent.identity.role, service.identity.role), (Role.AGENT, Role.SERVICE))
        self.assertTrue(agent.identity.may_act_for("4711"))
        codes = {name: settings.access_code for name, settings in configuration.services.items()}
        self.assertEqual(
            codes, {"number-broadcast": "7001", "bill-broadcast": "7002", "password-authentication": "7000"}
        )
        self.assertTrue(all(service.identity.may_serve(name) for name in codes))
        self.assertTrue(any("demo identities" in warning for warning in configuration.warnings))

    def test_an_empty_file_is_no_file(self) -> None:
        path = self.mktemp()
        Path(path).write_text("")
        self.assertEqual(load(path).identities, load().identities)
        self.assertEqual(load(path).source, path)

    def test_the_defaults_are_those_of_the_wire_format(self) -> None:
        link, limits = load().ivr_link, load().limits
        service = load().services["bill-broadcast"]
        self.assertEqual((link.codec, link.heartbeat, link.login_deadline, link.max_frame), ("binary", 30, 10, 65536))
        self.assertEqual((link.max_in_flight, link.max_unread), (1024, 1 << 20))
        self.assertEqual((limits.links_per_identity, limits.calls_per_identity), (4096, 100_000))
        self.assertEqual((limits.mailbox, limits.mailbox_ttl), (1000, 86_400))
        self.assertEqual((service.signalling_timeout, service.rebind_grace, service.fetch_timeout), (30, 3, 120))
        self.assertEqual((service.service_timeout, service.keep_closed), (3600, 600))

    def test_a_service_may_do_without_the_grace(self) -> None:
        configuration = read('[services.weather]\naccess_code = "7009"\nrebind_grace = 0')
        self.assertEqual(configuration.services["weather"].rebind_grace, 0)

    def test_services_of_a_file_take_the_place_of_the_built_in_ones_and_the_demo_service_serves_them(self) -> None:
        configuration = read('[services.weather]\naccess_code = "7009"')
        self.assertEqual(list(configuration.services), ["weather"])
        self.assertTrue(configuration.identities["service-demo"].identity.may_serve("weather"))

    def test_identities_of_a_file_take_the_place_of_the_demo_ones(self) -> None:
        configuration = read(OWN + KEEP)
        self.assertEqual(list(configuration.identities), ["agents", "ivr"])
        self.assertFalse(configuration.demo_identities)
        self.assertEqual(configuration.warnings, ())


class ReadingTests(SynchronousTestCase):
    """What a file says, and what of it is kept for plugins."""

    def test_a_table_for_a_plugin_keeps_its_other_keys(self) -> None:
        configuration = read(
            OWN + 'signalling = "dial"\naddress = "ivr.example:7000"\n'
            '[services.bill.request]\nsecret = ["pin"]\n[services.bill.result]\norganizer = "own"\nx = 1\n'
            '[store]\nkind = "sqlite"\npath = "calls.sqlite"\nsettings = 3\n'
            '[carrier]\nseparator = "##"'
        )
        service = configuration.services["bill"]
        self.assertEqual(service.settings, {"address": "ivr.example:7000"})
        self.assertEqual((service.request.organizer, service.request.settings), ("rules", {"secret": ["pin"]}))
        self.assertEqual((service.result.organizer, service.result.settings), ("own", {"x": 1}))
        self.assertEqual(configuration.store.settings, {"path": "calls.sqlite", "settings": 3})
        self.assertEqual(
            (configuration.carrier.kind, configuration.carrier.settings), ("calling-number", {"separator": "##"})
        )

    def test_a_hashed_secret_is_read(self) -> None:
        self.assertEqual(read(OWN).identities["ivr"].secret, SecretHash.parse(HASH))

    def test_a_secret_in_clear_is_warned_of_without_being_shown(self) -> None:
        configuration = read(OWN.replace(f'secret_hash = "{HASH}"', 'secret = "sesame"', 1) + KEEP)
        (warning,) = configuration.warnings
        self.assertIn("identities.agents.secret", warning)
        self.assertNotIn("sesame", warning + repr(configuration))

    def test_the_keys_of_no_plugin_are_in_the_repr(self) -> None:
        declared = [
            (one.__name__, attribute.repr)
            for one in vars(ctiex.config.model).values()
            if has(one)
            for attribute in one.__attrs_attrs__
            if attribute.metadata == REST
        ]
        self.assertGreater(len(declared), 4)
        self.assertEqual([name for name, shows in declared if shows], [])

    def test_an_embedding_application_is_told_which_table_a_plugin_does_not_take(self) -> None:
        for table, told in (
            ({"store": {"kind": "sqlite", "path": 3}}, "store.path: found 3, "),
            ({"store": {"kind": "nosuch"}}, 'store: found "nosuch", '),
            ({"login": {"foo": 1}}, "login.foo: "),
            ({"carrier": {"kind": "sip-header", "name": 3}}, "carrier.name: "),
            ({"carrier": {"also": ["sip-header"], "sip-header": {"name": 3}}}, "carrier.sip-header.name: "),
            ({"services": {"x": {"access_code": "7", "result": {"keep": "x"}}}}, "services.x.result.keep: "),
        ):
            with self.subTest(told), self.assertRaises(ConfigurationError) as caught:
                Exchange(parse(table), Clock())
            self.assertTrue(str(caught.exception).startswith(told), str(caught.exception))

    def test_metrics_for_everybody_are_warned_of(self) -> None:
        for listen, warned in (
            ("tcp:9464", True),
            ("tcp:9464:interface=192.0.2.1", True),
            ("tcp:9464:interface=127.0.0.1", False),
            ("unix:/run/ctiex/metrics", False),
        ):
            warnings = read(OWN + KEEP + f'[metrics]\nlisten = "{listen}"\n').warnings
            self.assertEqual(["metrics.listen" in warning for warning in warnings], [True] * warned, listen)

    def test_a_service_that_is_dialled_in_clear_is_warned_of_in_one_line(self) -> None:
        dialled = OWN + KEEP + 'signalling = "dial"\naddress = '
        for address in ("tcp:ivr.example:7400", "TCP:host=192.0.2.1:port=7400", r"tcp:2001\:db8\:\:1:7400"):
            (warning,) = read(f"{dialled}'{address}'").warnings
            self.assertTrue(warning.startswith(f'services.bill.address: "{address}" is plain TCP beyond loopback'))
            self.assertNotIn("\n", warning)
        for address in (
            "tcp:127.0.0.1:7400",
            "tcp:localhost:7400",
            r"tcp:\:\:1:7400",
            "tls:ivr.example:7400",
            "unix:/run/ivr",
            "tcp:ivr.example",  # no endpoint: the plugin says so
        ):
            self.assertEqual(read(f"{dialled}'{address}'").warnings, (), address)
        self.assertEqual(read(f"{dialled}5").warnings, ())
        self.assertEqual(read(OWN + KEEP + "address = 'tcp:ivr.example:7400'").warnings, ())

    def test_a_service_nobody_serves_is_warned_of(self) -> None:
        (warning,) = read(OWN + KEEP + '[services.weather]\naccess_code = "1"\n' + KEEP).warnings
        self.assertIn("'weather'", warning)

    def test_a_service_that_sees_every_field_is_warned_of_in_one_line(self) -> None:
        for rules in ("", "request = {}\n", "request = { rename = { a = 'b' }, secret = ['a'] }\n"):
            (warning,) = read(OWN + rules).warnings
            self.assertTrue(warning.startswith("services.bill.request has no keep: the service sees every field"))
            self.assertNotIn("\n", warning)
        for rules in (KEEP, "request = { keep = [] }\n", "request = { keep = ['a'] }\n"):
            self.assertEqual(read(OWN + rules).warnings, ())
        self.assertEqual(read(OWN + "request = { organizer = 'own' }\n").warnings, ())

    def test_the_built_in_services_see_every_field_without_a_word(self) -> None:
        self.assertNotIn("keep", " ".join(load().warnings))

    def test_options_take_the_place_of_where_links_listen(self) -> None:
        configuration = read(OWN + PLAIN, agent_listen="tcp:1", ivr_listen="tcp:2:interface=10.0.0.1")
        self.assertEqual(configuration.agent_link.listen, "tcp:1")
        self.assertEqual(exchange_address(configuration), "10.0.0.1:2")

    def test_an_address_that_is_configured_is_advertised(self) -> None:
        self.assertEqual(exchange_address(read('[exchange]\naddress = "ctiex-1:7301"')), "ctiex-1:7301")


class FakePlugin:
    """Any plugin: takes the settings it is told to take."""

    def __init__(self, name: str, *known: str) -> None:
        self.name = name
        self.settings = self.service_settings = make_class("Settings", {key: field(default=None) for key in known})

    def build(self, *given: object) -> object:
        """Something."""
        return self


PLUGINS = {
    plugin.name: plugin
    for plugin in (
        FakePlugin("binary"), FakePlugin("memory"), FakePlugin("calling-number", "separator"),
        FakePlugin("link"), FakePlugin("rules", "secret"), FakePlugin("configured"),
    )
}  # fmt: skip


def fake_find(interface: InterfaceClass, name: str) -> Any:
    """Finds the fakes, whatever the interface."""
    if name not in PLUGINS:
        raise ConfigurationError(f"no {name}")
    return PLUGINS[name]


class PluginTests(SynchronousTestCase):
    """The plugins that a configuration names."""

    def errors(self, text: str) -> list[str]:
        """What is wrong with the plugins that a text names."""
        return list(wrong_plugins(read(text), fake_find))

    def test_the_defaults_name_plugins_that_take_their_settings(self) -> None:
        self.assertEqual(list(wrong_plugins(load())), [])

    def test_plugins_that_take_their_settings_are_fine(self) -> None:
        self.assertEqual(self.errors('[carrier]\nseparator = "##"'), [])

    def test_every_missing_plugin_is_told_with_its_key(self) -> None:
        text = (
            '[links.agent]\ncodec = "c"\n[links.ivr]\ncodec = "d"\n[store]\nkind = "s"\n[carrier]\nkind = "k"\n'
            '[login]\nchecker = "l"\n'
            '[services.x]\naccess_code = "1"\nsignalling = "g"\nrequest.organizer = "o"\nresult.organizer = "p"'
        )
        self.assertEqual(
            self.errors(text),
            ["links.agent.codec: no c", "links.ivr.codec: no d", "store.kind: no s", "carrier.kind: no k",
             "login.checker: no l",
             "services.x.signalling: no g", "services.x.request.organizer: no o", "services.x.result.organizer: no p"],
        )  # fmt: skip

    def test_settings_that_a_plugin_refuses_are_told_with_their_table(self) -> None:
        text = '[store]\npath = "x"\n[services.x]\naccess_code = "1"\naddress = "y"\nrequest.zap = 1'
        self.assertEqual(
            self.errors(text),
            [
                "store.path: found an unknown key, expected none",
                "services.x.address: found an unknown key, expected none",
                "services.x.request.zap: found an unknown key, expected one of: secret",
            ],
        )

    def test_built_in_plugins_are_found_by_name(self) -> None:
        for interface, name in ((ICodecPlugin, "binary"), (ICodecPlugin, "json"), (IJournalPlugin, "memory"),
                                (ISignallingPlugin, "link"), (IOrganizerPlugin, "rules")):  # fmt: skip
            self.assertEqual(find_plugin(interface, name).name, name)

    def test_a_missing_name_is_told_with_the_names_there_are(self) -> None:
        text = str(self.assertRaises(ConfigurationError, find_plugin, IJournalPlugin, "sqlight"))
        self.assertIn('found "sqlight"', text)
        self.assertIn("memory", text)

    def test_a_doubled_name_is_told(self) -> None:
        twins = [FakePlugin("memory"), FakePlugin("memory")]
        with patch.object(ctiex.plugins, "plugins", lambda interface: iter(twins)):
            text = str(self.assertRaises(ConfigurationError, find_plugin, IJournalPlugin, "memory"))
        self.assertIn("2 plugins", text)
