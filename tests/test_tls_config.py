"""Certificates in the configuration: what is wrong with them is told before anything starts."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.commands import check_config
from ctiex.config.certificate_checks import check_certificates
from ctiex.config.model import Configuration
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError
from tests.processes import finished

from .certificates import DAY, Authority, replace

AUTHORITY = Authority("root")
EXCHANGE = AUTHORITY.sign_server(ends=100 * DAY)
NOW = datetime.now(UTC)
IDENTITIES = {
    "desk": {"role": "agent", "secret": "x", "agents": ["*"]},
    "ivr": {"role": "service", "certificate": "ivr.example.net", "services": ["bill"]},
}
SERVICES = {"bill": {"access_code": "7002", "request": {"keep": ["*"]}}}


class CheckTests(SynchronousTestCase):
    """Files of an endpoint with TLS, held against each other and the clock."""

    def setUp(self) -> None:
        """Write good ones."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.certificate, self.key = EXCHANGE.save(self.folder, "exchange")
        self.clients = AUTHORITY.save(self.folder, "clients")

    @property
    def listen(self) -> str:
        """An endpoint with the files."""
        return f"ctiex-tls:7301:certificate={self.certificate}:key={self.key}:clients={self.clients}"

    def configuration(self, agents: str = "tcp:7300:interface=127.0.0.1", services: str = "") -> Configuration:
        """A configuration whose links listen there."""
        links = {"agent": {"listen": agents}, "ivr": {"listen": services or self.listen}}
        return parse({"links": links, "identities": IDENTITIES, "services": SERVICES}, "ctiex.toml")

    def warnings(self, configuration: Configuration | None = None, now: datetime = NOW) -> list[str]:
        """What the check adds to the warnings."""
        errors, warnings = check_certificates(configuration or self.configuration(), now)
        self.assertEqual(errors, [])
        return warnings

    def wrong(self, now: datetime = NOW) -> str:
        """The one thing that is wrong."""
        (line,), _ = check_certificates(self.configuration(), now)
        self.assertTrue(line.startswith("links.ivr.listen: "), line)
        return line.removeprefix("links.ivr.listen: ")

    def test_good_ones_are_worth_no_word(self) -> None:
        self.assertEqual(self.warnings(), [])

    def test_files_that_are_missing_or_something_else_are_named(self) -> None:
        for path in (self.certificate, self.key, self.clients):
            before = Path(path).read_bytes()
            Path(path).unlink()
            self.assertEqual(self.wrong(), f"{path}: can't be read: No such file or directory")
            replace(Path(path), b"something else")
            self.assertTrue(self.wrong().startswith(f"{path}: found no "))
            replace(Path(path), before)

    def test_a_key_of_another_certificate_is_named(self) -> None:
        replace(Path(self.key), AUTHORITY.sign_server().key_pem)
        line = self.wrong()
        self.assertIn(f"the key in {self.key} doesn't match the first certificate in {self.certificate}", line)

    def test_a_key_of_rsa_pss_alone_is_told_as_what_it_is(self) -> None:
        make = ("openssl", "req", "-x509", "-nodes", "-subj", "/CN=exchange", "-days", "90", "-newkey")
        for options, good in ((("rsa-pss",), False), (("rsa:2048", "-sigopt", "rsa_padding_mode:pss"), True)):
            files = ("-keyout", self.key, "-out", self.certificate)
            done = finished([*make, *options, *files])
            self.assertEqual(done.returncode, 0, done.stderr)
            if good:
                self.assertEqual(self.warnings(now=datetime.now(UTC)), [])
            else:
                self.assertIn("found a certificate for an RSASSA-PSS-only key", self.wrong())

    def test_an_authority_before_the_certificate_is_told_as_a_key_that_does_not_fit(self) -> None:
        replace(Path(self.certificate), AUTHORITY.pem + EXCHANGE.certificate_pem)
        self.assertIn("the exchange's own certificate comes first", self.wrong())

    @given(st.floats(-300, 300))
    @settings(deadline=None)
    def test_a_certificate_is_warned_of_outside_its_time_and_30_days_before_its_end(self, days: float) -> None:
        now = NOW + timedelta(days=days)
        begins, ends = EXCHANGE.certificate.not_valid_before_utc, EXCHANGE.certificate.not_valid_after_utc
        warnings = self.warnings(now=now)
        if now < begins or now > ends:
            (warning,) = warnings
            self.assertIn("is valid from" if now < begins else "has expired on", warning)
            self.assertTrue(warning.startswith(f"links.ivr.listen: {self.certificate}: the certificate CN=exchange "))
        else:
            expected = [f"links.ivr.listen: a certificate in {self.certificate} expires on {ends:%Y-%m-%d %H:%M} UTC"]
            self.assertEqual(warnings, expected if ends - now < 30 * DAY else [])

    def test_any_certificate_of_the_chain_counts(self) -> None:
        late = AUTHORITY.sign("late", ends=-DAY / 24)
        replace(Path(self.certificate), EXCHANGE.certificate_pem + late.certificate_pem)
        (warning,) = self.warnings()
        self.assertIn("the certificate CN=late has expired on", warning)

    def test_a_key_that_everybody_can_read_is_warned_of(self) -> None:
        Path(self.key).chmod(0o644)
        (warning,) = self.warnings()
        self.assertIn(f"the key in {self.key} can be read by every user of this machine", warning)

    def test_an_identity_whose_certificate_nobody_asks_for_is_warned_of(self) -> None:
        for services in ("tcp:7301:interface=127.0.0.1", self.listen.partition(":clients")[0]):
            (warning,) = self.warnings(self.configuration(services=services))
            self.assertTrue(warning.startswith("identities.ivr.certificate has no effect: links.ivr.listen"), warning)

    def test_what_tls_needs_is_told_where_it_is_missing(self) -> None:
        for listen in (
            self.listen,
            f"haproxy:{self.listen}",
            f"tls:{self.folder}:7301",
            f"ssl:7301:privateKey={self.key}:certKey={self.certificate}",
        ):
            with patch("ctiex.extras.find_spec", return_value=None):
                error = self.assertRaises(ConfigurationError, self.configuration, services=listen)
            self.assertEqual(
                str(error),
                f'ctiex.toml: links.ivr.listen: "{listen.removeprefix("haproxy:")}" needs pyOpenSSL and'
                " service-identity, not installed: run `pip install 'ctiex[tls]'`",
            )

    def test_a_folder_for_twisted_s_own_tls_holds_certificates(self) -> None:
        empty = self.folder / "empty"
        empty.mkdir()
        configuration = self.configuration(services=f"tls:{empty}:7301")
        (error,), _ = check_certificates(configuration)
        self.assertIn(f"links.ivr.listen: {empty}: found no certificate, expected a folder", error)
        replace(empty / "exchange.pem", EXCHANGE.key_pem + EXCHANGE.certificate_pem)
        self.assertEqual(self.warnings(self.configuration(services=f"tls:{empty}:7301"))[1:], [])

    def test_check_config_tells_what_is_wrong(self) -> None:
        file = self.folder / "exchange.toml"
        file.write_text(f'[links.ivr]\nlisten = "{self.listen}:interface=127.0.0.1"\n')
        options = check_config.Options()
        options.parseOptions([str(file)])
        stdout, stderr = io.StringIO(), io.StringIO()
        self.assertEqual(check_config.run(options, stdout, stderr), 0)
        self.assertIn("configuration: ok", stdout.getvalue())
        Path(self.key).unlink()
        self.assertEqual(check_config.run(options, stdout, stderr), 1)
        self.assertEqual(
            stderr.getvalue(), f"{file}: links.ivr.listen: {self.key}: can't be read: No such file or directory\n"
        )
