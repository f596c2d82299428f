"""A real exchange behind TLS, met by clients that share no code with it: the standard library's and OpenSSL's own."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from .certificates import DAY, Authority, Signed
from .processes import TWISTD, Program, finished, free_port, surroundings
from .tls_bench import CLIENTS as OTHER_CLIENTS
from .tls_bench import REFUSED
from .waiting import PATIENCE, until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Peer

ROOTS = Authority("root")
EXCHANGE = ROOTS.sign_server()
IVR = OTHER_CLIENTS.sign("ivr", x509.DNSName("ivr.example.net"))
STRANGER = OTHER_CLIENTS.sign("stranger", x509.DNSName("stranger.example.net"))
CONFIGURATION = """
[exchange]
id = "7"
[links.agent]
listen = "ctiex-tls:{agents}:certificate=exchange.pem:key=exchange.key:interface=127.0.0.1"
login_deadline = 1
[links.ivr]
listen = "ctiex-tls:{services}:certificate=exchange.pem:key=exchange.key:clients=clients.pem:interface=127.0.0.1"
login_deadline = 1
[metrics]
listen = "ctiex-tls:{metrics}:certificate=exchange.pem:key=exchange.key:interface=127.0.0.1"
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.ivr]
role = "service"
certificate = "ivr.example.net"
services = ["alpha"]
[services.alpha]
access_code = "8001"
request = {{ keep = ["lang"] }}
"""
COMMAND = (*TWISTD, "ctiex", "--config", "exchange.toml")


class TlsExchange:
    """``twistd -n ctiex`` with certificates."""

    def __init__(self, folder: Path, certificate: Signed = EXCHANGE) -> None:
        self.folder = folder
        self.agents, self.services, self.metrics = free_port(), free_port(), free_port()
        certificate.save(folder, "exchange")
        OTHER_CLIENTS.save(folder, "clients")
        ROOTS.save(folder, "roots")
        ports = {"agents": self.agents, "services": self.services, "metrics": self.metrics}
        (folder / "exchange.toml").write_text(CONFIGURATION.format(**ports))
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self._process = Program[bytes](COMMAND, cwd=folder, env=surroundings(), stdout=output, stderr=output)
        self.says("is ready")

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._output.read_text()

    def says(self, words: str, times: int = 1) -> None:
        """Wait until it has said this so many times."""
        until(lambda: self.log.count(words) >= times, lambda: f"no {words!r} in:\n{self.log}", self._process)

    def refusals(self, words: str = "") -> int:
        """How many lines tell a refusal for this reason, or for any."""
        return len(re.findall(rf"#warn\] TLS with 127\.0\.0\.1:\d+ refused: {re.escape(words)}", self.log))

    def link(self, port: int, certificate: Signed | None = None) -> TlsPeer:
        """A link over TLS, with a certificate."""
        return TlsPeer(port, self.context(certificate))

    def context(self, certificate: Signed | None = None) -> ssl.SSLContext:
        """What a client verifies, and shows."""
        context = ssl.create_default_context(cafile=str(self.folder / "roots.pem"))
        if certificate is not None:
            context.load_cert_chain(*certificate.save(self.folder, "client"))
        return context

    def stop(self) -> None:
        """End the process."""
        self._process.end()


class TlsPeer(Peer):
    """A link over TLS."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    @property
    def exchange_serial(self) -> int:
        """The serial number of the exchange's certificate."""
        assert isinstance(self.socket, ssl.SSLSocket)
        shown = self.socket.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsExchange]:
    running = TlsExchange(tmp_path_factory.mktemp("tls"))
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


def hand_over(agent: Peer, service: Peer, serial: str) -> None:
    """One hand-over, start to end."""
    assert agent.connect("1001", serial, fields=[("lang", "en")])["status"] == 0
    assert service.answer_connection()["calling_number"] == f"555**{serial}"
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1) in (0, 40)


def test_a_service_is_known_by_its_certificate_and_serves_a_call(exchange: TlsExchange) -> None:
    service = exchange.link(exchange.services, IVR)
    assert service.bind(SERVICE_ROLE, "ivr", "")["status"] == 0
    agent = exchange.link(exchange.agents)
    assert agent.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    agent.login("1001")
    hand_over(agent, service, "1")
    agent.socket.close()
    service.socket.close()


def test_a_certificate_opens_no_other_identity_than_its_own(exchange: TlsExchange) -> None:
    for certificate, identity in ((STRANGER, "ivr"), (STRANGER, "stranger"), (IVR, "desk")):
        link = exchange.link(exchange.services, certificate)
        assert link.bind(SERVICE_ROLE, identity, "")["status"] == 11


def test_who_has_no_good_certificate_is_refused_with_one_line_each(exchange: TlsExchange) -> None:
    for certificate, words in REFUSED.values():
        before, same = exchange.refusals(), exchange.refusals(words)
        with pytest.raises(OSError):
            link = exchange.link(exchange.services, certificate)
            link.socket.recv(1)
        exchange.says(f" refused: {words}\n", same + 1)
        assert exchange.refusals() == before + 1


def test_openssl_and_plain_text_are_refused_with_one_line_each(exchange: TlsExchange) -> None:
    options = ["-connect", f"127.0.0.1:{exchange.services}", "-CAfile", str(exchange.folder / "roots.pem")]
    attempts = {
        (): "the client sent no certificate",
        ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"): "the client doesn't support TLS 1.2 or above",
    }
    before = exchange.refusals()
    for more, words in attempts.items():
        same = exchange.refusals(words)
        finished(["openssl", "s_client", *options, *more], input=b"")
        exchange.says(f" refused: {words}\n", same + 1)
    plain = Peer(exchange.services)
    plain.send(bytes(4) + b"\x20\x01\x01" + bytes(32))
    assert plain.socket.recv(10) == b""
    exchange.says(" refused: the client doesn't speak TLS\n")
    assert exchange.refusals() == before + 3


def test_a_handshake_that_stands_still_ends_at_the_login_deadline(exchange: TlsExchange) -> None:
    for data in (b"", b"\x16", b"\x16\x03\x01\x02\0\x01"):
        for port in (exchange.agents, exchange.services):
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as still:
                still.sendall(data)
                with suppress(ConnectionResetError):
                    while still.recv(1024):
                        pass
            assert time.monotonic() - began > 0.9, "not before the deadline"
    assert exchange.link(exchange.services, IVR).bind(SERVICE_ROLE, "ivr", "")["status"] == 0


def test_renewed_certificates_are_taken_up_while_a_call_goes_on(exchange: TlsExchange) -> None:
    service, agent = exchange.link(exchange.services, IVR), exchange.link(exchange.agents)
    assert service.bind(SERVICE_ROLE, "ivr", "")["status"] == 0
    assert agent.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    agent.login("1001")
    assert agent.connect("1001", "11")["status"] == 0
    service.answer_connection()

    renewed = ROOTS.sign_server()
    (exchange.folder / "exchange.pem").write_bytes(b"half a")

    def shown() -> int:
        return exchange.link(exchange.agents).exchange_serial

    unusable = "the new certificates are invalid; keeping the previous ones: exchange.pem: found no certificate"
    until(lambda: shown() == EXCHANGE.certificate.serial_number and unusable in exchange.log)
    renewed.save(exchange.folder, "exchange")
    until(lambda: shown() == renewed.certificate.serial_number)

    assert service.exchange_serial == EXCHANGE.certificate.serial_number
    assert service.data("11")["status"] == 0
    assert service.report("11", 1) == 0
    hand_over(agent, service, "12")


def test_clients_that_offer_other_protocols_are_let_in_at_every_port(exchange: TlsExchange) -> None:
    for port in (exchange.agents, exchange.services, exchange.metrics):
        context = exchange.context(IVR)
        context.set_alpn_protocols(["h2", "spdy/3"])
        link = TlsPeer(port, context)
        assert isinstance(link.socket, ssl.SSLSocket)
        assert link.socket.selected_alpn_protocol() is None
        link.socket.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
def test_curl_reads_the_metrics_over_tls(exchange: TlsExchange) -> None:
    for options in ((), ("--http2",)):
        url = f"https://localhost:{exchange.metrics}/metrics"
        done = finished(("curl", "--silent", "--show-error", "--cacert", "roots.pem", *options, url),
                        cwd=exchange.folder, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "ctiex_ready 1" in done.stdout


@pytest.mark.parametrize("which", ["expired", "early"])
def test_an_exchange_whose_certificate_is_out_of_its_time_starts_and_says_so_loudly(which: str, tmp_path: Path) -> None:
    begins, ends = {"expired": (-DAY, -DAY / 24), "early": (DAY / 24, DAY)}[which]
    words = {"expired": "has expired on", "early": "is valid from"}[which]
    exchange = TlsExchange(tmp_path, ROOTS.sign_server(begins=begins, ends=ends))
    try:
        exchange.says(f"#error] exchange.pem: the certificate CN=exchange {words}", 3)
        with pytest.raises(ssl.SSLCertVerificationError):
            exchange.link(exchange.agents)
        EXCHANGE.save(tmp_path, "exchange")  # renewed
        exchange.says("certificates read", 3)
        until(lambda: connects(exchange), lambda: exchange.log)
    finally:
        exchange.stop()


def connects(exchange: TlsExchange) -> bool:
    """Whether a client trusts the exchange."""
    try:
        exchange.link(exchange.agents).socket.close()
    except ssl.SSLCertVerificationError:
        return False
    return True
