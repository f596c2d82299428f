"""``ctiex store``: what it shows of a store file, and that it changes and betrays nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from unittest import mock

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.commands import store
from ctiex.app.store_codecs import AGENT_CODEC, IVR_CODEC
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.messages import AgentEvent, Condition, DataResult
from ctiex.processing.digests import KEY_LABEL
from ctiex.processing.presence import label_of
from ctiex.records import EPOCH, CallState, StoredEvent
from ctiex.stores.groups import Group
from ctiex.stores.sealing import KEY_VARIABLE, Seal, find_key, new_key
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call

Outcome = tuple[int, str, str]
FIELDS = Fields(
    {
        "account": "1001", "pin": "246810", "tries": 2, "vip": True, "raw": b"\x00\xff", "large": 2**53,
        "price": Decimal("12.50"), "due": datetime(2026, 11, 26, 18, tzinfo=UTC),
    }
)  # fmt: skip


class StoreCommandTests(SynchronousTestCase):
    """Each on a file with one open call, one closed call, and one event."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "calls.sqlite"
        self.key_file = Path(f"{self.path}.key")
        variable = mock.patch.dict(os.environ)
        variable.start()
        self.addCleanup(variable.stop)
        os.environ.pop(KEY_VARIABLE, None)

    def fill(self, codec: ICodec) -> SqliteFile:
        """A store file that is still open, as an exchange has it."""
        file = SqliteFile(self.path, Seal(find_key(self.key_file, make=True, environment={})))
        self.addCleanup(file.close)
        data = codec.encode_body(DataResult(Status.OK, "7", "1001", fields=FIELDS))
        event = AgentEvent(1, 1_795, "1001", "8", "R-8", Condition.COMPLETED, Status.OK, Fields({"score": 5}))
        metadata = {
            AGENT_CODEC: codec.name, IVR_CODEC: codec.name, label_of("1001"): "desk", EPOCH: "17",
            KEY_LABEL: "5ec2e7" * 8,
        }  # fmt: skip
        group = Group(last_sequences={"1001": 1}, metadata=metadata)
        closed = make_call("8", state=CallState.CLOSED, ended_as=16).but(wiped=True)
        group.calls = {"7": make_call("7", data=data, calling_number="13800138000"), "8": closed}
        group.contexts = dict(group.calls)
        group.events = {("1001", 1): StoredEvent("1001", 1, codec.encode_body(event), 99.0)}
        file.write(group)
        return file

    def play(self, *arguments: str) -> Outcome:
        options = store.Options()
        options.parseOptions(arguments)
        stdout, stderr = StringIO(), StringIO()
        return store.run(options, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    def export(self, *arguments: str) -> list[dict[str, object]]:
        code, out, err = self.play("export", str(self.path), *arguments)
        self.assertEqual((code, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]

    def test_show_sums_up_a_file_that_an_exchange_has_open(self) -> None:
        self.fill(BinaryCodec())
        code, out, err = self.play("show", str(self.path))
        self.assertEqual((code, err), (0, ""))
        for words in ("schema version 4", "calls: 2", "closed: 1", "waiting events: 1, of 1 agents", "agent 1001: 1"):
            self.assertIn(words, out)
        self.assertIn(f"calls.sqlite: {self.path.stat().st_size:,} bytes", out)
        self.assertIn("agent codec: binary", out)
        self.assertIn("epoch: 17\n", out)
        self.assertNotIn("5ec2e7", out, "who has the key of digests can try what they stand for")
        self.assertIn("agent numbers registered by desk: 1\n", out)

    def test_what_others_have_chosen_does_nothing_to_a_terminal(self) -> None:
        agent, service = "1\x1b]0;owned\x07\n2", "s\u202e\x9b31m"
        codec = BinaryCodec()
        data = codec.encode_body(DataResult(Status.OK, "7", "1001", fields=Fields({service: agent})))
        body = codec.encode_body(
            AgentEvent(1, 0, "1001", "8", "", Condition.COMPLETED, Status.OK, Fields({service: agent}))
        )
        call = make_call("7", agent=agent, service=service, identity=agent, owner=service, data=data)
        file = self.fill(codec)
        file.write(
            Group(
                calls={"7": call},
                contexts={"7": call},
                events={(agent, 1): StoredEvent(agent, 1, body, 99.0)},
                last_sequences={agent: 1},
                metadata={label_of(agent): agent, "name\x1b[2J": "value\x1b[2J"},
            )
        )
        for arguments in (("show",), ("check",), ("export",), ("export", "--show-values")):
            code, out, err = self.play(arguments[0], str(self.path), *arguments[1:])
            for line in (out + err).splitlines():
                self.assertTrue(line.isprintable(), ascii(line))
            if arguments[0] == "export" and code == 0:
                self.assertEqual(json.loads(out.splitlines()[0])["agent"], agent, "and JSON stays JSON")

    def test_check_finds_nothing_in_a_sound_file(self) -> None:
        self.fill(BinaryCodec())
        self.assertEqual(self.play("check", str(self.path)), (0, f"{self.path}: ok\n", ""))

    def test_check_tells_what_is_missing_in_a_mailbox(self) -> None:
        self.fill(BinaryCodec()).write(Group(last_sequences={"1001": 9}))
        code, out, _ = self.play("check", str(self.path))
        self.assertEqual(code, 1)
        self.assertIn("the last event is 1, the last sequence 9", out)

    def test_export_masks_every_value_and_number(self) -> None:
        self.fill(BinaryCodec())
        call, closed, event = self.export()
        self.assertEqual(call["fields"], dict.fromkeys(FIELDS, "***"))
        self.assertEqual((call["calling_number"], closed["calling_number"]), ("***", ""))
        self.assertEqual((event["serial"], event["condition"], event["fields"]), ("8", 1, {"score": "***"}))
        self.assertEqual((event["time"], event["reference"]), (1_795, "R-8"))

    def test_export_tells_what_else_is_kept_of_a_call(self) -> None:
        file = self.fill(BinaryCodec())
        more = make_call(
            "9", reference="R-9", begun=1, since=2, changed=True, reports={5: bytes(16), 1: bytes(16)}, data=b""
        )
        file.write(Group(calls={"9": more}, contexts={"9": more}))
        _, closed, told, _ = self.export()
        told_of = ("reference", "begun", "since", "changed", "ended_as", "event_ids")
        self.assertEqual([told[name] for name in told_of], ["R-9", 1, 2, True, 0, [1, 5]])
        self.assertEqual((closed["ended_as"], closed["reference"]), (16, ""))

    def test_export_shows_values_but_for_secret_ones(self) -> None:
        for codec in (BinaryCodec(), JsonCodec()):
            with self.subTest(codec=codec.name):
                self.setUp()
                self.fill(codec)
                call, closed, event = self.export("--show-values", "--secret", "pin")
                shown = {
                    "account": "1001", "pin": "***", "tries": 2, "vip": True, "raw": {"bytes": "AP8="},
                    "large": {"int": "9007199254740992"}, "price": {"decimal": "12.50"},
                    "due": {"time": "2026-11-26T18:00:00.000Z"},
                }  # fmt: skip
                self.assertEqual((call["fields"], call["calling_number"]), (shown, "13800138000"))
                self.assertEqual((closed["fields"], event["fields"]), ({}, {"score": 5}))

    def test_export_masks_the_secret_fields_of_a_configuration(self) -> None:
        self.fill(BinaryCodec())
        config = self.path.with_name("exchange.toml")
        config.write_text("[services.a]\naccess_code = '1'\nresult = { secret = ['score', 'pin'] }\n")
        call, _, event = self.export("--show-values", "--config", str(config))
        self.assertEqual((dict(call["fields"])["pin"], dict(call["fields"])["tries"]), ("***", 2))  # type: ignore[call-overload]
        self.assertEqual(event["fields"], {"score": "***"})

    def test_a_copy_is_made_and_put_back(self) -> None:
        file = self.fill(BinaryCodec())
        copy = self.path.with_name("copy.sqlite")
        self.assertEqual(
            self.play("backup", str(self.path), "--to", str(copy)), (0, f"{copy}: a copy of {self.path}\n", "")
        )
        code, _, err = self.play("restore", str(self.path), "--from", str(copy))
        self.assertEqual(code, 1)
        self.assertIn("another process has this store open", err)
        file.write(Group(calls={"9": make_call("9")}, contexts={"9": make_call("9")}))
        file.close()
        code, out, err = self.play("restore", str(self.path), "--from", str(copy))
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"{self.path}: restored from {copy}\ncalls: 2\n", out)
        self.assertEqual(self.play("check", str(self.path))[0], 0)
        self.assertEqual(len(self.export()), 3)

    def test_a_copy_that_is_there_is_not_written_over(self) -> None:
        self.fill(BinaryCodec())
        copy = self.path.with_name("copy.sqlite")
        copy.write_text("mine")
        code, _, err = self.play("backup", str(self.path), "--to", str(copy))
        self.assertEqual((code, copy.read_text()), (1, "mine"))
        self.assertIn("File exists", err)

    def test_a_changed_record_is_named(self) -> None:
        self.fill(BinaryCodec()).close()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("UPDATE calls SET owner = 'two', agent = '6666' WHERE serial = '7'")
        code, out, _ = self.play("check", str(self.path))
        self.assertEqual(code, 1)
        self.assertIn("call 7 was changed without the key", out)
        for action in ("show", "export"):
            code, out, err = self.play(action, str(self.path))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("call 7 was changed without the key", err)

    def test_nothing_of_the_file_is_changed(self) -> None:
        self.fill(BinaryCodec()).close()
        before = self.path.read_bytes()
        for action in ("show", "check", "export"):
            self.assertEqual(self.play(action, str(self.path))[0], 0)
        self.assertEqual(self.path.read_bytes(), before)

    def test_another_key_opens_nothing(self) -> None:
        self.fill(BinaryCodec())
        other = self.path.with_name("other.key")
        other.write_text(new_key())
        for action in ("show", "export"):
            code, out, err = self.play(action, str(self.path), "--key-file", str(other))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("sealed with another key", err)
        code, out, _ = self.play("check", str(self.path), "--key-file", str(other))
        self.assertEqual(code, 1)
        self.assertIn("sealed with another key", out)

    def test_a_missing_key_is_not_made(self) -> None:
        self.fill(BinaryCodec())
        self.key_file.unlink()
        code, _, err = self.play("show", str(self.path))
        self.assertEqual(code, 1)
        self.assertIn("No such file", err)
        self.assertFalse(self.key_file.exists())

    def test_what_is_no_store_is_said(self) -> None:
        self.assertIn("there is no such file", self.play("show", str(self.path))[2])
        self.assertFalse(self.path.exists())
        self.path.write_bytes(b"no database at all, but long enough to be looked at" * 50)
        self.key_file.write_text(new_key())
        for action in ("show", "check", "export"):
            code, out, err = self.play(action, str(self.path))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("not a database", err)

    def test_the_command_line_is_checked(self) -> None:
        for arguments in (
            [], ["show"], ["mend", "x"], ["show", "x", "y"], ["show", "x", "--what"],
            ["backup", "x"], ["restore", "x"], ["backup", "x", "--from", "y"], ["show", "x", "--to", "y"],
            ["restore", "x", "--from", "y", "--to", "z"],
        ):  # fmt: skip
            with self.subTest(arguments=arguments), self.assertRaises(UsageError):
                store.Options().parseOptions(arguments)
