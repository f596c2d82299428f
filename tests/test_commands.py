"""The small commands: check-config, passwd, decode."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.python.usage import Options, UsageError
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.commands import check_config, decode, passwd
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.config.reading import parse
from ctiex.fields import Fields, Value
from ctiex.interfaces import ICodec
from ctiex.login.secret_hashes import SecretHash
from ctiex.messages import KIND_OF, Bind, Condition, ConnectRequest, DataResult, Message, Ping, Role, ServiceEvent

Outcome = tuple[int, str, str]
"""Exit code, standard output, standard error."""


def play(run: Callable[..., int], options: Options, arguments: Sequence[str], **more: Any) -> Outcome:
    """Run a command on its arguments."""
    options.parseOptions(arguments)
    stdout, stderr = StringIO(), StringIO()
    code = run(options, stdout, stderr, **more)
    return code, stdout.getvalue(), stderr.getvalue()


class CheckConfigTests(SynchronousTestCase):
    """``ctiex check-config``."""

    def check(self, *arguments: str) -> Outcome:
        """Run the command."""
        return play(check_config.run, check_config.Options(), arguments)

    def file(self, text: str) -> str:
        """A file with this text."""
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)

    def test_the_defaults_are_fine(self) -> None:
        code, out, err = self.check()
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines()[-1], "configuration: ok")
        self.assertIn("from: the built-in defaults", out)
        self.assertIn("warning: the demo identities", out)
        self.assertIn("agent link: tcp:7300:interface=127.0.0.1, codec binary", out)

    def test_no_secret_is_shown(self) -> None:
        text = '[identities.a]\nrole = "agent"\nsecret = "sesame"\nagents = ["1100-1199", "7"]\n'
        code, out, _ = self.check("--config", self.file(text))
        self.assertEqual(code, 0)
        self.assertNotIn("sesame", out)
        self.assertIn("identity a: agent, secret in plain text, agents 1100-1199, 7", out)

    def test_errors_go_to_standard_error(self) -> None:
        path = self.file('[exchange]\nid = ""\nzone = 1\n')
        code, out, err = self.check("--config", path)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(
            [line.split(": ")[:2] for line in err.splitlines()], [[path, "exchange.id"], [path, "exchange.zone"]]
        )

    def test_the_file_is_given_with_or_without_the_option(self) -> None:
        path = self.file('[exchange]\naddress = "ctiex-1:7301"\n')
        self.assertIn("services reach it at ctiex-1:7301", self.check(path)[1])
        self.assertEqual(self.check(path), self.check("--config", path))
        self.assertRaises(UsageError, self.check, "--config", path, path)

    def test_an_unknown_plugin_is_an_error(self) -> None:
        code, _, err = self.check("--config", self.file('[store]\nkind = "sqlight"'))
        self.assertEqual(code, 1)
        self.assertIn('store.kind: found "sqlight"', err)

    def test_listening_options_are_checked_with_the_rest(self) -> None:
        code, _, err = self.check("--ivr-listen", "tcp:7301")
        self.assertEqual(code, 1)
        self.assertIn("--ivr-listen", err)


class PasswdTests(SynchronousTestCase):
    """``ctiex passwd``."""

    def test_the_line_goes_into_a_configuration_as_it_is(self) -> None:
        code, out, _ = play(passwd.run, passwd.Options(), [], ask=lambda prompt: "sesame")
        self.assertEqual(code, 0)
        configuration = parse({"identities": {"a": {"role": "agent", **tomllib.loads(out)}}})
        made = configuration.identities["a"].secret
        assert isinstance(made, SecretHash)
        self.assertTrue(made.matches("sesame"))

    def test_standard_input_is_read_to_the_end_of_its_first_line(self) -> None:
        _, out, _ = play(passwd.run, passwd.Options(), ["--stdin"], stdin=StringIO("open sesame \r\nmore\n"))
        self.assertTrue(SecretHash.parse(out.split('"')[1]).matches("open sesame "))

    def test_two_different_secrets_are_refused(self) -> None:
        answers = iter(["sesame", "seasme"])
        code, out, err = play(passwd.run, passwd.Options(), [], ask=lambda prompt: next(answers))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("differ", err)
        self.assertNotIn("sesame", err)

    def test_an_empty_or_overlong_secret_is_refused(self) -> None:
        for text in ("\n", "é" * 128 + "\n"):
            code, out, err = play(passwd.run, passwd.Options(), ["--stdin"], stdin=StringIO(text))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("1 to 255 bytes", err)


BINARY, JSON = BinaryCodec(), JsonCodec()
VALUES: dict[str, Value] = {"account": "A-1", "vip": True, "tone": b"\x01"}
REQUEST = ConnectRequest("007", "1001", "bill", "13800", fields=Fields(VALUES))


def framed(message: Message, invoke_id: int = 7, codec: ICodec = BINARY) -> bytes:
    """A message as it goes over the wire."""
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message))


class DecodeTests(SynchronousTestCase):
    """``ctiex decode``."""

    def decode(self, *arguments: str) -> Outcome:
        """Run the command."""
        return play(decode.run, decode.Options(), arguments)

    def test_a_frame_is_shown_with_kind_invoke_id_and_attributes(self) -> None:
        code, out, err = self.decode(framed(REQUEST).hex())
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            ["ConnectRequest (kind 14), invoke id 7", "  serial: 007", "  agent: 1001", "  service: bill",
             "  calling_number: 13800", "  reference: ", "  fields: 3", "    account=*** (text)",
             "    vip=*** (boolean)",
             "    tone=*** (bytes)"],
        )  # fmt: skip

    def test_values_are_shown_when_asked_for_but_for_secret_ones(self) -> None:
        _, out, _ = self.decode("--show-values", "--secret", "account", framed(REQUEST).hex())
        self.assertIn("account=*** (text)", out)
        self.assertIn("vip=true (boolean)", out)
        self.assertIn("tone=0x01 (bytes)", out)

    def test_the_secret_fields_of_a_configuration_stay_masked_before_and_after_a_rename(self) -> None:
        path = Path(self.mktemp())
        path.write_text(
            "[services.a]\naccess_code = '1'\nrequest = { rename = { number = 'account' }, secret = ['number'] }\n"
            "result = { secret = ['tone'] }\n"
        )
        code, out, _ = self.decode("--show-values", "--config", str(path), framed(REQUEST).hex())
        self.assertEqual(code, 0)
        for line in ("account=*** (text)", "vip=true (boolean)", "tone=*** (bytes)"):
            self.assertIn(line, out)
        path.write_text("[services.a]\n")
        code, out, err = self.decode("--show-values", "--config", str(path), framed(REQUEST).hex())
        self.assertEqual((code, out), (1, ""))
        self.assertIn("services.a.access_code: missing", err)

    def test_the_secret_of_a_bind_is_never_shown(self) -> None:
        _, out, _ = self.decode("--show-values", framed(Bind(Role.AGENT, "a", "sesame")).hex())
        self.assertIn("  secret: ***", out)
        self.assertNotIn("sesame", out)
        self.assertIn("role: 1 (agent)", out)

    def test_codes_are_shown_with_their_meaning(self) -> None:
        event = ServiceEvent(1, "7", "", Condition.COMPLETED)
        _, out, _ = self.decode((framed(event) + framed(DataResult(20, "7"))).hex())
        self.assertIn("condition: 1 (completed)", out)
        self.assertIn("status: 20 (unknown serial)", out)

    @given(st.lists(st.sampled_from([Ping(), REQUEST]), min_size=1, max_size=4), st.sampled_from(["", " ", ":", "\n"]))
    @settings(deadline=None)
    def test_white_space_and_colons_do_not_count(self, messages: list[Message], between: str) -> None:
        data = b"".join(framed(message) for message in messages)
        spaced = between.join(f"{byte:02X}" for byte in data)
        code, out, _ = self.decode(*spaced.split(" ")) if between == " " else self.decode(spaced)
        self.assertEqual((code, out), self.decode(data.hex())[:2])
        self.assertEqual(out.count("invoke id 7"), len(messages))

    def test_a_file_has_frames_as_they_are_or_in_hexadecimal(self) -> None:
        data = framed(Ping()) + framed(REQUEST)
        expected = self.decode(data.hex())
        for content in (data, data.hex(" ").encode()):
            path = self.mktemp()
            Path(path).write_bytes(content)
            self.assertEqual(self.decode("--file", path), expected)

    def test_another_codec_is_chosen_by_name(self) -> None:
        path = self.mktemp()
        Path(path).write_bytes(framed(REQUEST, codec=JSON))
        self.assertEqual(self.decode("--codec", "json", "--file", path), self.decode(framed(REQUEST).hex()))

    @given(st.data())
    @settings(deadline=None)
    def test_a_frame_that_is_cut_short_is_told_after_the_whole_ones(self, data: st.DataObject) -> None:
        whole = framed(REQUEST)
        cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
        code, out, _ = self.decode((framed(Ping()) + cut).hex())
        self.assertEqual(code, 1)
        self.assertTrue(out.startswith("Ping (kind 05), invoke id 7\n"))
        self.assertIn(f"! the last {len(cut)} bytes are an incomplete frame", out)

    def test_a_bad_body_is_told_and_the_next_frame_shown(self) -> None:
        bad = BINARY.frame(0x14, 3, BINARY.encode_body(REQUEST) + b"\0")
        code, out, _ = self.decode((bad + framed(Ping())).hex())
        self.assertEqual(code, 1)
        self.assertIn("ConnectRequest (kind 14), invoke id 3\n! malformed: ", out)
        self.assertIn("Ping (kind 05)", out)

    def test_an_unknown_kind_is_told(self) -> None:
        code, out, _ = self.decode((BINARY.frame(0x7F, 3, b"") + framed(Ping())).hex())
        self.assertEqual(code, 1)
        self.assertIn("unknown kind (kind 7f), invoke id 3\n! unknown kind: ", out)
        self.assertIn("Ping (kind 05)", out)

    def test_what_ends_a_link_ends_the_output(self) -> None:
        code, out, _ = self.decode("--max-frame", "20", (framed(Ping()) + framed(REQUEST) + framed(Ping())).hex())
        self.assertEqual(code, 1)
        self.assertIn("! the link would end here: ", out)
        self.assertEqual(out.count("Ping"), 1)

    @given(st.binary(min_size=1, max_size=80))
    @settings(deadline=None)
    def test_any_bytes_are_decoded_or_told_of(self, data: bytes) -> None:
        code, out, err = self.decode(data.hex())
        self.assertEqual(err, "")
        self.assertEqual(code, 1 if "! " in out else 0)

    def test_no_hexadecimal_no_file_and_no_codec_are_told(self) -> None:
        for arguments in (("0xyz",), ("abc",), ("--file", "missing"), ("--codec", "morse", "00")):
            code, out, err = self.decode(*arguments)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("nothing to decode: ", err)

    def test_one_source_is_to_be_given(self) -> None:
        self.assertRaises(UsageError, self.decode)
        self.assertRaises(UsageError, self.decode, "--file", "x", "00")
