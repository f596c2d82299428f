"""The configuration: every kind of error, and what may be listened on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import quoteStringArgument
from twisted.trial.unittest import SynchronousTestCase

from ctiex.config.endpoints import advertised_address, read_endpoint
from ctiex.config.model import Configuration
from ctiex.config.reading import load, parse
from ctiex.errors import ConfigurationError
from ctiex.settings.structuring import dotted
from ctiex.tls.endpoint import TlsFiles

from .configurations import HASH, OWN, PLAIN, read

WRONG = {
    "bogus = 1": ("bogus: found an unknown key", "exchange, identities, limits, links, login, metrics"),
    '[exchange]\nid = "1234"': ('exchange.id: found "1234"', "1 to 3 decimal digits"),
    "[exchange]\nid = 1": ("exchange.id: found 1", "1 to 3 decimal digits"),
    '[links.agent]\nheartbeat = "soon"': ('links.agent.heartbeat: found "soon"', "from 1 to 65535"),
    "[links.agent]\nheartbeat = 65536": ("links.agent.heartbeat: found 65536", "from 1 to 65535"),
    "[links.agent]\nheartbeat = true": ("links.agent.heartbeat: found true", "from 1 to 65535"),
    "[links.ivr]\nheartbeat = 0.5": ("links.ivr.heartbeat: found 0.5", "whole number of seconds"),
    "[links.ivr]\nlogin_deadline = inf": ("links.ivr.login_deadline: found inf", "seconds above 0"),
    "[links.ivr]\nmax_frame = 255": ("links.ivr.max_frame: found 255", "from 1024 to 16777216"),
    "[links.agent]\nmax_frame = 16777217": ("links.agent.max_frame: found 16777217", "from 1024 to 16777216"),
    "[links.ivr]\nmax_in_flight = 0": ("links.ivr.max_in_flight: found 0", "above 0"),
    '[links.ivr]\ncodec = ""': ('links.ivr.codec: found ""', "1 to 255 bytes"),
    '[links.ivr]\nlisten = "nowhere"': ('links.ivr.listen: found "nowhere"', "an endpoint such as"),
    '[links.ivr]\nlisten = "tcp:70000:interface=127.0.0.1"': ("links.ivr.listen: found", "port from 0 to 65535"),
    '[links.ivr]\nlisten = ""\n[services.a]\naccess_code = "1"': (
        'services.a.signalling: found "link", which needs the IVR link',
        "a driver of the application",
    ),
    '[links.agent]\nlisten = ""': ('links.agent.listen: found ""', "an endpoint such as"),
    '[metrics]\nlisten = "tcp:x"': ('metrics.listen: found "tcp:x"', "an endpoint such as"),
    "[links.sip]": ("links.sip: found an unknown key", "expected one of: agent, ivr"),
    "links = 3": ("links: found a number", "expected a table"),
    "[limits]\nmailbox = -1": ("limits.mailbox: found -1", "above 0"),
    "[limits]\nmailbox_bytes = 2047": ("limits.mailbox_bytes: found 2047", "at least limits.end_bytes, which is 2048"),
    "[limits]\nend_bytes = 5000000": (
        "limits.mailbox_bytes: found 4194304",
        "at least limits.end_bytes, which is 5000000",
    ),
    "[limits]\nbytes_per_identity = 10": (
        "limits.bytes_per_identity: found 10",
        "at least limits.mailbox_bytes, which is 4194304",
    ),
    "[limits]\nbytes_in_all = 1000000000": (
        "limits.bytes_in_all: found 1000000000",
        "at least limits.bytes_per_identity, which is 1073741824",
    ),
    "[services.x]": ("services.x.access_code: missing", "1 to 255 bytes"),
    '[services.x]\naccess_code = "1"\nrebind_grace = -0.1': ("services.x.rebind_grace: found -0.1", "0 or more"),
    '[services.x]\naccess_code = "1"\nrebind_grace = nan': ("services.x.rebind_grace: found nan", "0 or more"),
    '[services.x]\naccess_code = "1"\nrebind_grace = true': ("services.x.rebind_grace: found true", "0 or more"),
    '[services.x]\naccess_code = "1"\nfetch_timeout = -1': ("services.x.fetch_timeout: found -1", "above 0"),
    '[services.x]\naccess_code = "1"\nrequest = []': ("services.x.request: found a list", "expected a table"),
    '[services."pin check"]': ('services."pin check".access_code: missing', "expected"),
    '[identities."*"]\nrole = "service"\nsecret = "x"': ('identities."*": found a reserved name', "another one"),
    '[services.""]\naccess_code = "1"': ('services."": found an invalid name', "1 to 255 bytes"),
    "identities = []": ("identities: found a list", "expected a table"),
    '[identities.a]\nrole = "boss"\nsecret = "x"': ('identities.a.role: found "boss"', '"agent" or "service"'),
    '[identities.a]\nsecret = "x"': ("identities.a.role: missing", '"agent" or "service"'),
    '[identities.a]\nrole = "agent"\nsecret = 17': ("identities.a.secret: found a number", "1 to 255 bytes"),
    '[identities.a]\nrole = "agent"': ("found neither secret nor secret_hash", "expected one of them"),
    f'[identities.a]\nrole = "agent"\nsecret = "x"\nsecret_hash = "{HASH}"': ("found both", "expected one of them"),
    '[identities.a]\nrole = "agent"\nsecret_hash = "md5$abc"': ("identities.a.secret_hash: found", "scrypt$N$r$p"),
    '[identities.a]\nrole = "agent"\nsecret = "x"\nagents = "1001"': ('identities.a.agents: found "1001"', "a list"),
    '[identities.a]\nrole = "agent"\nsecret = "x"\nagents = ["1", "2-"]': ('agents[1]: found "2-"', "a range"),
    '[identities.a]\nrole = "agent"\nsecret = "x"\nservices = ["bill-broadcast"]': ("found services", "expected none"),
    '[identities.a]\nrole = "service"\nsecret = "x"\nagents = ["1"]': ("found agents", "expected none"),
    '[identities.a]\nrole = "service"\nsecret = "x"\nservices = ["x"]': ('the unknown service "x"', "bill-broadcast"),
}
"""Files with one thing wrong, each with what its error has to say."""

toml_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
known_keys = st.sampled_from(
    "exchange id links agent ivr listen heartbeat store kind identities services role secret agents access_code".split()
)
toml_tables = st.dictionaries(
    known_keys, toml_values | st.dictionaries(known_keys, toml_values, max_size=3), max_size=4
)


class ErrorTests(SynchronousTestCase):
    """What is wrong with a file."""

    def failing(self, text: str, **options: str) -> list[str]:
        """The lines of the error that a text gives."""
        return str(self.assertRaises(ConfigurationError, read, text, **options)).splitlines()

    def test_each_error_names_file_key_what_was_found_and_what_was_expected(self) -> None:
        for text, (found, expected) in WRONG.items():
            (line,) = self.failing(text)
            self.assertTrue(line.startswith("ctiex.toml: "), line)
            self.assertIn(found, line)
            self.assertIn(expected, line)

    def test_all_errors_of_a_file_are_told_at_once(self) -> None:
        text = '[exchange]\nid = "x"\nzone = 1\n[links.ivr]\nheartbeat = 0\n[identities.a]\nagents = ["", "1-"]\n'
        keys = [line.split(": ")[1] for line in self.failing(text)]
        self.assertEqual(
            keys,
            ["exchange.id", "exchange.zone", "identities.a.agents[0]", "identities.a.agents[1]",
             "identities.a.role", "links.ivr.heartbeat", "identities.a"],
        )  # fmt: skip

    def test_what_is_wrong_with_one_key_hides_nothing_that_is_wrong_elsewhere(self) -> None:
        wrong = {
            "exchange.zone: found an unknown key": "[exchange]\nzone = 1",
            "links.agent.heartbeat: found 0": '[links.agent]\nheartbeat = 0\nlisten = "tcp:7300"',
            'links.agent.listen: found "tcp:7300", plain TCP': "",
            'links.ivr.listen: found "nowhere"': '[links.ivr]\nlisten = "nowhere"',
            'metrics.listen: found "tcp:x"': '[metrics]\nlisten = "tcp:x"',
            "signalling.own: found settings of a driver": "[signalling.own]\na = 1",
            "identities.a.role: missing": '[identities.a]\nservices = ["b", "c"]',
            'identities.a.services: found the unknown service "c"': "",
            "identities.a: found neither secret": "",
            "identities.d: found both secret": f'[identities.d]\nrole = "agent"\nsecret = "x"\nsecret_hash = "{HASH}"',
            "services.b.access_code: missing": "[services.b]\nfetch_timeout = 0",
            "services.b.fetch_timeout: found 0": "",
            "voice.services.x: found the unknown service": '[voice]\nservices = { x = "y" }',
        }
        lines = self.failing("\n".join(wrong.values()))
        self.assertEqual(len(lines), len(wrong), lines)
        for words in wrong:
            self.assertTrue(any(line.startswith(f"ctiex.toml: {words}") for line in lines), (words, lines))

    def test_nothing_is_told_that_only_follows_from_what_is_told(self) -> None:
        for text, count in (
            ('[identities.a]\nrole = "boss"\nsecret = "x"\nservices = ["bill-broadcast"]', 1),
            ('[identities.a]\nrole = "agent"\nsecret = 5', 1),
            ('[login]\nchecker = 5\n[identities.a]\nrole = "agent"', 1),
            ('services = 5\n[identities.a]\nrole = "service"\nsecret = "x"\nservices = ["a"]', 1),
            ('[services.a]\nsignalling = 5\naccess_code = "1"\n[signalling.own]\nx = 1', 1),
            ('[services]\na = 5\n[identities.a]\nrole = "service"\nsecret = "x"\nservices = ["a"]', 1),
            ("identities = 5\n[links.agent]\nlisten = 'tcp:7300'\nplain_secrets = 'allowed'", 1),
        ):
            self.assertEqual(len(self.failing(text)), count, self.failing(text))

    def test_no_error_shows_a_secret(self) -> None:
        for text in (
            f'[identities.a]\nrole = "agent"\nsecret = "{"sesame" * 50}"',
            '[identities.a]\nrole = "agent"\nsecret_hash = "sesame"',
            '[identities.a]\nrole = "boss"\nsecret = "sesame"',
        ):
            self.assertNotIn("sesame", "".join(self.failing(text)))

    @given(toml_tables)
    @settings(deadline=None)
    def test_any_tables_give_a_configuration_or_a_configuration_error(self, tables: Mapping[str, Any]) -> None:
        try:
            self.assertIsInstance(parse(tables), Configuration)
        except ConfigurationError as error:
            self.assertIn("expected", str(error))

    def test_a_file_that_is_missing_or_no_toml_is_named(self) -> None:
        path = Path(self.mktemp())
        self.assertIn(f"{path}: can't be read", str(self.assertRaises(ConfigurationError, load, str(path))))
        path.write_text("[exchange\n")
        self.assertIn(f"{path}: found invalid TOML", str(self.assertRaises(ConfigurationError, load, str(path))))
        for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
            path.write_bytes(mark + b"[exchange]\n")
            text = str(self.assertRaises(ConfigurationError, load, str(path)))
            self.assertIn("expected UTF-8 without a byte order mark", text)
        path.write_text("a = " + "[" * 100_000)
        self.assertIn(f"{path}: found invalid TOML", str(self.assertRaises(ConfigurationError, load, str(path))))
        path.write_bytes(b"\xff")
        self.assertIn(f"{path}: found invalid UTF-8", str(self.assertRaises(ConfigurationError, load, str(path))))

    def test_a_bad_option_is_named_as_such(self) -> None:
        (line,) = self.failing(OWN, agent_listen="tcp:x")
        self.assertIn('--agent-listen: found "tcp:x"', line)

    def test_the_demo_identities_listen_on_loopback_alone(self) -> None:
        for listen in ("tcp:7300", "tcp:7300:interface=0.0.0.0", "tcp:7300:interface=192.0.2.1", "tcp6:7300",
                       "tcp:7300:interface=\\:\\:", "haproxy:tcp:7300", "systemd:domain=INET:index=0"):  # fmt: skip
            for options in ({"agent_listen": listen}, {"ivr_listen": listen}):
                (line,) = self.failing("", **options)
                self.assertIn("beyond loopback", line)
            (line,) = self.failing(f"[links.agent]\nlisten = {dotted(listen)}")
            self.assertIn("links.agent.listen", line)
            self.assertEqual(read(OWN + PLAIN, agent_listen=listen).agent_link.listen, listen)

    def test_plain_tcp_beyond_loopback_is_said_in_so_many_words(self) -> None:
        for listen in ("tcp:7300", "tcp:7300:interface=192.0.2.1", "tcp6:7300", "haproxy:tcp:7300",
                       "systemd:domain=INET:index=0"):  # fmt: skip
            for link in ("agent", "ivr"):
                (line,) = self.failing(OWN + f"[links.{link}]\nlisten = {dotted(listen)}")
                self.assertIn(f'links.{link}.listen: found "{listen}", plain TCP beyond loopback', line)
                self.assertIn("expected ctiex-tls:PORT:certificate=FILE:key=FILE, or interface=127.0.0.1", line)
                self.assertIn(f'plain_secrets = "allowed" in [links.{link}]', line)
                options = {f"{link}_listen": listen}
                (line,) = self.failing(OWN, **options)
                self.assertIn(f'--{link}-listen: found "{listen}"', line)
                line, unknown = self.failing(OWN + PLAIN.replace(link, "nothing"), **options)
                self.assertIn(f'--{link}-listen: found "{listen}"', line + unknown)
                self.assertIn("links.nothing: found an unknown key", line + unknown)
                read(OWN + PLAIN, **options)

    def test_tls_and_what_stays_on_this_machine_may_listen_anywhere(self) -> None:
        for listen in ("ctiex-tls:7300:certificate=a.pem:key=a.key", "tls:/etc/certificates:7300", "unix:/run/ctiex",
                       "tcp:7300:interface=127.0.0.1", "systemd:domain=UNIX:index=0"):  # fmt: skip
            self.assertEqual(read(OWN, agent_listen=listen, ivr_listen=listen).agent_link.listen, listen)

    def test_the_demo_identities_listen_on_anything_local(self) -> None:
        for listen in ("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.8.8.8", "tcp:0:127.0.0.1", "unix:/tmp/x.sock",
                       "tcp:0:interface=localhost", "tcp:0:interface=\\:\\:1", "tcp6:0:interface=\\:\\:1",
                       "haproxy:tcp:0:interface=127.0.0.1"):  # fmt: skip
            self.assertEqual(read("", agent_listen=listen).agent_link.listen, listen)


_FILES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


class ListeningTests(SynchronousTestCase):
    """Endpoint strings."""

    @given(st.integers(0, 65535), st.ip_addresses())
    @settings(deadline=None)
    def test_port_and_interface_are_read_as_twisted_reads_them(self, port: int, address: Any) -> None:
        listening = read_endpoint(f"tcp:{port}:interface={str(address).replace(':', chr(92) + ':')}")
        self.assertEqual((listening.port, listening.interface), (port, str(address)))
        self.assertEqual(listening.local, (getattr(address, "ipv4_mapped", None) or address).is_loopback)

    @given(st.integers(0, 65535), st.ip_addresses(), st.lists(_FILES, min_size=3, max_size=3), st.booleans())
    @settings(deadline=None)
    def test_an_endpoint_with_tls_is_read_without_looking_at_its_files(
        self, port: int, address: Any, names: list[str], optional: bool
    ) -> None:
        certificate, key, clients = map(quoteStringArgument, names)
        listening = read_endpoint(
            f"ctiex-tls:{port}:interface={quoteStringArgument(str(address))}:certificate={certificate}:key={key}"
            f":clients={clients}:clients_optional={'yes' if optional else 'no'}"
        )
        self.assertEqual((listening.port, listening.interface, listening.plain), (port, str(address), False))
        self.assertEqual(listening.files, TlsFiles(*names, optional))

    def test_what_an_endpoint_with_tls_does_not_take_is_told(self) -> None:
        for listen, words in {
            "ctiex-tls:7300": "it takes ctiex-tls:PORT:certificate=FILE",
            "ctiex-tls:7300:certificate=a.pem:wrong=1": "it takes ctiex-tls:PORT:certificate=FILE",
            "ctiex-tls:x:certificate=a.pem": "'x'",
            "ctiex-tls:70000:certificate=a.pem": "expected a port from 0 to 65535",
            "ctiex-tls:7300:certificate=a.pem:clients_optional=yes": "clients_optional=yes needs clients=FILE",
            "ctiex-tls:7300:certificate=a.pem:clients=c.pem:clients_optional=maybe": "neither yes nor no",
        }.items():
            error = self.assertRaises(ConfigurationError, read_endpoint, listen)
            self.assertIn(f'found "{listen}", expected', str(error))
            self.assertIn(words, str(error))

    def test_the_advertised_address_is_where_others_reach_the_endpoint(self) -> None:
        for listen, address in {
            "tcp:7301:interface=127.0.0.1": "127.0.0.1:7301",
            "tcp:7301:interface=\\:\\:1": "[::1]:7301",
            "tcp:7301": "this-host:7301",
            "tcp:7301:interface=0.0.0.0": "this-host:7301",
            "tcp6:7301": "this-host:7301",
            "ctiex-tls:7301:certificate=a.pem:interface=192.0.2.1": "192.0.2.1:7301",
            "ctiex-tls:7301:interface=\\:\\:1:certificate=a.pem": "[::1]:7301",
            "ctiex-tls:7301:certificate=a.pem:key=a.key:clients=c.pem": "this-host:7301",
            "unix:/run/ctiex": "unix:/run/ctiex",
        }.items():
            self.assertEqual(advertised_address(listen, lambda: "this-host"), address)
