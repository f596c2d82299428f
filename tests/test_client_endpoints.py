"""The endpoint strings of clients and of services that are dialled: read once, and one clear error for all of them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import ConfigurationError
from ctiex.links.endpoints import client_endpoint, read_destination
from ctiex.settings import structure
from ctiex.signalling.dial import DialServiceSettings
from ctiex.visible import visible

BAD = (
    "",
    "tcp",
    "tcp:",
    "tcp:7300",
    "tcp:host",
    "tcp::7300",
    "tcp:host:0",
    "tcp:host:65536",
    "tcp:host:port",
    "tcp:host:-1",
    "tcp:host:7300:frobnicate=1",
    "tcp:::1:7300",
    "tcp:[::1]:7300",
    "tls:[2001:db8::1]:7300",
    "tls:host:99999999999999999999",
    "carrier-pigeon:host:7300",
    "tcp:host:٣",
)


class ClientEndpointTests(SynchronousTestCase):
    """Where a client, or an exchange that dials, connects to."""

    def refused(self, description: str) -> str:
        return str(self.assertRaises(ConfigurationError, client_endpoint, reactor, description))

    def test_good_ones_are_endpoints(self) -> None:
        for description in ("tcp:127.0.0.1:7300", "tcp:host=h:port=1", r"tcp:\:\:1:7300:timeout=5", "unix:/run/x"):
            self.assertTrue(IStreamClientEndpoint.providedBy(client_endpoint(reactor, description)), description)

    def test_bad_ones_are_one_clear_error(self) -> None:
        for description in BAD:
            said = self.refused(description)
            self.assertTrue(said.startswith(f'found "{description}"'), said)
            self.assertIn("expected an endpoint such as tcp:HOST:PORT", said)
            for internal in ("_parse", "argument", "int()", "object", "Traceback", "__"):
                self.assertNotIn(internal, said)

    def test_brackets_are_told_how_to_be_written(self) -> None:
        self.assertIn(r"no brackets: tcp:\:\:1:7300", self.refused("tcp:[::1]:7300"))
        said = self.refused("tls:[2001:db8::1]:7300:trustRoots=x")
        self.assertIn(r"no brackets: tls:2001\:db8\:\:1:7300:trustRoots=x", said)

    def test_files_that_are_not_there_are_named(self) -> None:
        missing = Path(self.mktemp()).absolute() / "ivr.pem"
        said = self.refused(f"tls:host:7300:certificate={missing}:privateKey={missing}")
        self.assertIn(f"({missing}: No such file or directory)", said)
        missing.parent.mkdir()
        missing.write_text("no certificate")
        self.assertIn("expected an endpoint", self.refused(f"tls:host:7300:certificate={missing}:privateKey={missing}"))

    @given(
        st.text()
        | st.from_regex(r"(tcp|tls|unix|ssl)(:([a-z0-9=]|\\.)*){0,4}", fullmatch=True)
        | st.from_regex(r"(tcp|tls):[a-z.]{1,9}:[0-9]{1,6}(:timeout=[0-9]?)?", fullmatch=True)
    )
    def test_any_text_is_an_endpoint_or_that_error(self, description: str) -> None:
        try:
            endpoint = client_endpoint(reactor, description)
        except ConfigurationError as error:
            self.assertTrue(str(error).startswith(f'found "{visible(description)}"'), error)
            self.assertIn("expected an endpoint such as tcp:HOST:PORT", str(error))
        else:
            self.assertTrue(IStreamClientEndpoint.providedBy(endpoint), description)

    def test_a_dialled_service_has_the_same_words(self) -> None:
        for description in ("tcp:[::1]:7400", "tcp:host", "nothing"):
            error = self.assertRaises(ConfigurationError, structure, {"address": description}, DialServiceSettings)
            self.assertEqual(str(error), f"address: {self.refused(description)}")

    def test_what_is_local_is_known(self) -> None:
        local = "tcp:127.0.0.1:1", "tcp:127.8.9.1:1", r"tls:\:\:1:1", "tcp:localhost:1", "unix:/x"
        for description in (*local, "tcp:host=localhost:port=1"):
            self.assertTrue(read_destination(description).is_local, description)
        for description in ("tcp:192.0.2.1:1", "tls:localhost.example.net:1", "tcp:0.0.0.0:1"):
            self.assertFalse(read_destination(description).is_local, description)
