"""What is said of a configuration before a start is what the start comes to."""

from __future__ import annotations

import os
import socket
from unittest import SkipTest
from unittest.mock import patch

from ctiex.stores.sealing import KEY_VARIABLE, new_key

from .checking_case import LINKS, STORE, TLS, CheckingCase

WRONG = {
    "a store in a folder that isn't there": (
        LINKS + STORE + 'path = "{folder}/nothing/calls.sqlite"\n',
        ["store.path: {folder}/nothing/calls.sqlite can't be created: there is no folder {folder}/nothing",
         "store.key_file: {folder}/nothing/calls.sqlite.key can't be created: there is no folder {folder}/nothing"],
    ),
    "a store below a file": (
        LINKS + STORE + 'path = "{folder}/file/calls.sqlite"\nkey_file = "{folder}/key"\n',
        ["store.path: {folder}/file/calls.sqlite can't be used: Not a directory"],
    ),
    "a store that is a folder": (
        LINKS + STORE + 'path = "{folder}/sub"\nkey_file = "{folder}/key"\n',
        ["store.path: {folder}/sub is a folder, expected a file"],
    ),
    "a store that is something else": (
        LINKS + STORE + 'path = "{folder}/file"\nkey_file = "{folder}/key"\n',
        ["store.path: {folder}/file isn't a SQLite file, expected a store or a name that is free"],
    ),
    "a store without its key": (
        LINKS + STORE + 'path = "{folder}/some.sqlite"\n',
        ["store.key_file: {folder}/some.sqlite.key: No such file or directory"],
    ),
    "a key that is none": (
        LINKS + STORE + 'path = "{folder}/new.sqlite"\nkey_file = "{folder}/file"\n',
        ["store.key_file: {folder}/file: found no key, expected 32 bytes in URL-safe base64"],
    ),
    "a key in a folder that isn't there": (
        LINKS + STORE + 'path = "{folder}/new.sqlite"\nkey_file = "{folder}/nothing/key"\n',
        ["store.key_file: {folder}/nothing/key can't be created: there is no folder {folder}/nothing"],
    ),
    "an audit file that is a folder": (
        LINKS + '[audit]\nfile = "{folder}/sub"\n',
        ["audit.file: {folder}/sub is a folder, expected a file"],
    ),
    "an audit file in a folder that isn't there": (
        LINKS + '[audit]\nfile = "{folder}/nothing/audit.jsonl"\n',
        ["audit.file: {folder}/nothing/audit.jsonl can't be created: there is no folder {folder}/nothing"],
    ),
    "an audit file below a file": (
        LINKS + '[audit]\nfile = "{folder}/file/audit.jsonl"\n',
        ["audit.file: {folder}/file/audit.jsonl can't be used: Not a directory"],
    ),
    "a socket where something else is": (
        '[links.agent]\nlisten = "unix:{folder}/file"\n',
        ["links.agent.listen: {folder}/file isn't a socket, expected a socket or a name that is free"],
    ),
    "a socket in a folder that isn't there": (
        '[links.agent]\nlisten = "unix:{folder}/nothing/socket"\n',
        ["links.agent.listen: {folder}/nothing/socket can't be created: there is no folder {folder}/nothing"],
    ),
    "two sockets of one name": (
        '[links.agent]\nlisten = "unix:{folder}/s"\n[links.ivr]\nlisten = "unix:{folder}/s"\n',
        ['links.ivr.listen: found "unix:{folder}/s", where links.agent.listen listens, expected a place of its own'],
    ),
    "two links at one port": (
        '[links.agent]\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
        '[links.ivr]\nlisten = "tcp:{port}:interface=127.0.0.1"\n',
        ['links.ivr.listen: found "tcp:{port}:interface=127.0.0.1", where links.agent.listen listens,'
         " expected a place of its own"],
    ),
    "two links at one port, of two names": (
        '[links.agent]\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
        '[links.ivr]\nlisten = "tcp:{port}:interface=localhost"\n',
        ['links.ivr.listen: found "tcp:{port}:interface=localhost", where links.agent.listen listens,'
         " expected a place of its own"],
    ),
    "an audit log in the place of the store": (
        LINKS + STORE + 'path = "{folder}/new"\n[audit]\nfile = "{folder}/sub/../new"\n',
        ["audit.file: found {folder}/sub/../new, which store.path uses, expected a file of its own"],
    ),
    "an audit log in the place of a store with something else that is wrong": (
        LINKS + STORE + 'path = "{folder}/new"\nlock_wait = -1\n[audit]\nfile = "{folder}/new"\n',
        ["store.lock_wait: found -1, expected seconds", "audit.file: found {folder}/new, which store.path uses"],
    ),
    "an audit log in the place of the store's key": (
        LINKS + STORE + 'path = "{folder}/newer"\n[audit]\nfile = "{folder}/newer.key"\n',
        ["audit.file: found {folder}/newer.key, which store.key_file uses, expected a file of its own"],
    ),
    "an address that isn't this machine's": (
        '[links.agent]\nlisten = "tcp:{port}:interface=192.0.2.77"\nplain_secrets = "allowed"\n'
        '[identities.a]\nrole = "agent"\nsecret = "x"\n',
        ['links.agent.listen: found "tcp:{port}:interface=192.0.2.77", which can\'t be bound: Cannot assign'],
    ),
    "a certificate that isn't there": (
        TLS % ("nothing", "exchange"),
        ["links.agent.listen: {folder}/nothing.pem: can't be read: No such file or directory"],
    ),
    "a key of another certificate": (
        TLS % ("exchange", "other"),
        ["links.agent.listen: the key in {folder}/other.key doesn't match the first certificate"],
    ),
    "a certificate that is a folder": (
        '[links.agent]\nlisten = "ctiex-tls:0:interface=127.0.0.1:certificate={folder}/sub"\n',
        ["links.agent.listen: {folder}/sub: can't be read: Is a directory"],
    ),
    "a signalling driver without its secret": (
        LINKS + '[services.a]\naccess_code = "1"\nsignalling = "asterisk"\n[signalling.asterisk]\n'
        'username = "a"\nsecret_file = "{folder}/nothing"\ndial = "PJSIP/1@b"\n',
        ["signalling.asterisk.secret_file: {folder}/nothing can't be read"],
    ),
    "a signalling driver with an address that is none": (
        LINKS + '[services.a]\naccess_code = "1"\nsignalling = "asterisk"\n[signalling.asterisk]\n'
        'username = "a"\nsecret = "b"\nendpoint = "nowhere"\ndial = "PJSIP/1@b"\n',
        ['signalling.asterisk.endpoint: found "nowhere", expected an endpoint such as'],
    ),
}  # fmt: skip
"""Configurations with which no exchange starts, each with what is said of it."""


class VerdictTests(CheckingCase):
    """Configurations that are wrong where only this machine tells, and some that are right."""

    async def test_with_what_is_wrong_nothing_starts_and_it_is_said_before(self) -> None:
        for what, (text, lines) in WRONG.items():
            code, _, said = self.checked(text)
            self.assertEqual((what, code), (what, 1))
            found = said.splitlines()
            self.assertEqual(len(found), len(lines), said)
            for line, words in zip(found, lines, strict=True):
                self.assertTrue(line.startswith(self.filled(f"{self.file}: {words}")), line)
            if "address" not in what or "driver" in what:  # ports are only looked at by check-config
                self.assertEqual(self.told_by_the_runner(), found)
            if what != "a signalling driver with an address that is none":  # which is made when it connects
                self.assertEqual((what, await self.started()), (what, False))

    async def test_with_what_is_right_an_exchange_starts(self) -> None:
        for text in (
            LINKS,
            LINKS + STORE + 'path = "{folder}/new.sqlite"\n',
            LINKS + STORE + 'path = "{folder}/new.sqlite"\n',  # that is there now
            LINKS + '[audit]\nfile = "{folder}/audit.jsonl"\n',
            TLS % ("exchange", "exchange") + '[links.ivr]\nlisten = "unix:{folder}/socket"\n',
        ):
            await self.assert_right(text)

    async def assert_right(self, text: str) -> None:
        """It is taken, and an exchange starts with it."""
        code, out, said = self.checked(text)
        self.assertEqual((code, said), (0, ""), said)
        self.assertEqual(out.splitlines()[-1], "configuration: ok")
        self.assertTrue(await self.started(), text)

    async def test_two_may_listen_at_one_port_of_ipv4_and_of_ipv6(self) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            raise SkipTest("this machine has no IPv6") from None
        everywhere = 'plain_secrets = "allowed"\nlisten = "tcp:{port}"\n'
        await self.assert_right(
            f"[links.agent]\n{everywhere}[links.ivr]\n" + 'listen = "tcp:{port}:interface=\\\\:\\\\:1"\n'
            '[identities.a]\nrole = "agent"\nsecret = "x"\nagents = ["1"]\n'
        )

    def test_all_of_ipv6_has_all_of_ipv4_as_well(self) -> None:
        everywhere, own = 'plain_secrets = "allowed"\nlisten = "tcp6:{port}"\n', '"tcp:{port}:interface=127.0.0.1"\n'
        text = (
            f"[links.agent]\n{everywhere}[links.ivr]\nlisten = {own}" + '[identities.a]\nrole = "agent"\nsecret = "x"\n'
        )
        self.assertIn("where links.agent.listen listens, expected a place of its own", self.checked(text)[2])

    def test_an_audit_log_has_no_place_in_what_stands_beside_a_store(self) -> None:
        for beside in ("-wal", "-shm", ".lock"):
            text = LINKS + STORE + 'path = "{folder}/new"\n[audit]\nfile = "{folder}/new' + beside + '"\n'
            self.assertIn("which store.path uses", self.checked(text)[2])

    def test_a_store_s_key_may_come_from_the_environment(self) -> None:
        text = LINKS + STORE + 'path = "{folder}/some.sqlite"\n'
        with patch.dict(os.environ, {KEY_VARIABLE: new_key()}):
            self.assertEqual(self.checked(text)[0], 0)
        with patch.dict(os.environ, {KEY_VARIABLE: "none"}):
            self.assertIn(f"store.key_file: {KEY_VARIABLE}: found no key", self.checked(text)[2])

    def test_a_port_in_use_is_warned_of_since_the_exchange_may_be_to_be_restarted(self) -> None:
        with socket.create_server(("127.0.0.1", self.port)):
            code, out, _ = self.checked('[links.agent]\nlisten = "tcp:{port}:interface=127.0.0.1"\n')
        self.assertEqual(code, 0)
        self.assertIn(f'warning: links.agent.listen: "tcp:{self.port}:interface=127.0.0.1" is in use', out)

    def test_everything_that_is_wrong_is_said_at_once(self) -> None:
        text = (
            "bogus = 1\n"
            '[links.agent]\nheartbeat = 0\nlisten = "unix:{folder}/file"\n'
            '[links.ivr]\ncodec = "morse"\n'
            'listen = "ctiex-tls:0:interface=127.0.0.1:certificate={folder}/nothing.pem"\n'
            '[metrics]\nlisten = "nowhere"\n'
            '[store]\nkind = "sqlite"\npath = "{folder}/nothing/calls.sqlite"\nkey_file = "{folder}/key"\n'
            '[audit]\nfile = "{folder}/sub"\n[carrier]\nkind = "pigeon"\n[login]\nchecker = "nobody"\n'
            '[identities.a]\nrole = "boss"\nsecret = "x"\n[identities.b]\nrole = "agent"\nsecret = ""\n'
            '[services.s]\naccess_code = ""\nsignalling = "smoke"\nrequest.organizer = "chaos"\n'
            '[services.t]\naccess_code = "1"\nsignalling = "dial"\n'
            "[limits]\nmailbox = -1\n"
        )
        keys = [line.removeprefix(f"{self.file}: ").partition(":")[0] for line in self.checked(text)[2].splitlines()]
        self.assertEqual(
            sorted(keys),
            sorted(
                ["bogus", "links.agent.heartbeat", "links.agent.listen", "links.ivr.codec", "links.ivr.listen",
                 "metrics.listen", "store.path", "audit.file", "carrier.kind", "login.checker", "identities.a.role",
                 "identities.b.secret", "services.s.access_code", "services.s.signalling",
                 "services.s.request.organizer", "services.t.address", "limits.mailbox"]
            ),
        )  # fmt: skip


class WideTests(CheckingCase):
    """Files that others may get at."""

    def warnings(self, text: str) -> list[str]:
        """The warnings that matter here."""
        code, out, said = self.checked(text)
        self.assertEqual(code, 0, said)
        return [line for line in out.splitlines() if line.startswith("warning: ") and "may read or change" in line]

    def test_an_audit_log_that_was_there_with_a_wide_mode_is_warned_of(self) -> None:
        audit = self.folder / "audit.jsonl"
        for mode, warned in ((0o644, True), (0o660, True), (0o600, False), (0o640, False)):
            audit.touch()
            audit.chmod(mode)
            found = self.warnings(LINKS + '[audit]\nfile = "{folder}/audit.jsonl"\n')
            self.assertEqual([str(audit) in line for line in found], [True] * warned, oct(mode))

    def test_a_configuration_with_secrets_in_clear_is_warned_of(self) -> None:
        secret = '[identities.a]\nrole = "agent"\nsecret = "sesame"\nagents = ["1"]\n'
        self.file.touch()
        for text, mode, warned in (
            (LINKS + secret, 0o644, True),
            (LINKS + secret, 0o600, False),
            (LINKS, 0o644, False),
        ):
            self.file.chmod(mode)
            self.assertEqual(len(self.warnings(text)), warned, text)
