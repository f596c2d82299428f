"""The line protocol of AGI: any bytes in any split, and commands that come out as they went in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.telephony.agi import (
    MAX_COMMAND,
    MAX_LINE,
    MAX_LINES,
    AgiAnswer,
    AgiCall,
    AgiError,
    AgiHangup,
    AgiReader,
    AgiValue,
    write_command,
)

from .asterisk_by_hand import arguments_of

quick = settings(deadline=None)
CALL = b"agi_network: yes\nagi_network_script: password\nagi_callerid: 138**007\n\n"
SEEN = b"".join(
    line + b"\n"
    for line in (
        b"200 result=0",
        b"200 result=-1 endpos=4000",
        b"HANGUP",
        b"200 result=1 (13800138000**007)",
        b"200 result= (timeout)",
        b"200 result=12 (timeout)",
        b"100 result=0 Trying...",
        b"510 Invalid or unknown command",
        b"511 Command Not Permitted on a dead channel or intercept routine",
        b"520-Invalid command syntax.  Proper usage follows:",
        b"HANGUP",
        b"200 result=0",
        b"520 End of proper usage.",
        b"200 result=52 endpos=9760",
    )
)
"""What Asterisk 16 and 22 were seen to send."""


def read(pieces: list[bytes]) -> tuple[list[AgiValue], str | None]:
    """The values in some bytes, and the error that ended them."""
    reader, values = AgiReader(), []
    for piece in pieces:
        try:
            for value in reader.receive(piece):
                values.append(value)
        except AgiError as error:
            return values, str(error)
    return values, None


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


class ReadingTests(SynchronousTestCase):
    """What Asterisk sends."""

    def test_what_asterisk_was_seen_to_send(self) -> None:
        values, error = read([CALL + SEEN])
        self.assertIsNone(error)
        call = values[0]
        assert isinstance(call, AgiCall)
        self.assertEqual((call.path, call["callerid"]), ("password", "138**007"))
        self.assertEqual(
            values[1:],
            [
                AgiAnswer(200, "0"),
                AgiAnswer(200, "-1", end_position=4000),
                AgiHangup(),
                AgiAnswer(200, "1", "13800138000**007"),
                AgiAnswer(200, "", "timeout"),
                AgiAnswer(200, "12", "timeout"),
                AgiAnswer(510, note="Invalid or unknown command"),
                AgiAnswer(511, note="Command Not Permitted on a dead channel or intercept routine"),
                AgiAnswer(520, note="HANGUP\n200 result=0"),
                AgiAnswer(200, "52", end_position=9760),
            ],
        )

    @given(st.lists(st.integers(0, 10_000), max_size=12))
    @quick
    def test_the_split_of_the_bytes_changes_nothing(self, cuts: list[int]) -> None:
        self.assertEqual(read(split(CALL + SEEN, cuts)), read([CALL + SEEN]))

    @given(st.booleans(), st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
    @example(True, b"200 result=" + b"9" * 400 + b"\n", [])
    @example(True, b"520-x\n520\n200 result=\xff\n", [])
    @example(False, b"\n\n", [])
    @quick
    def test_any_bytes_give_values_or_the_one_error_in_any_split(
        self, begun: bool, data: bytes, cuts: list[int]
    ) -> None:
        data = CALL * begun + data
        self.assertEqual(read(split(data, cuts)), read([data]))

    @given(st.text(max_size=60), st.text("\n 0125-+*#()=:resultagHNGUP_", max_size=120))
    @quick
    def test_lines_that_look_alike_give_values_or_the_one_error(self, first: str, rest: str) -> None:
        for head in ("agi_a: b\n\n200 ", "agi_a: b\n\n520-", "agi_"):
            values, error = read([f"{head}{first}\n{rest}\n".encode(errors="replace")])
            self.assertTrue(error is None or error.startswith("found "), error)
            for value in values:
                self.assertIsInstance(value, (AgiCall, AgiAnswer, AgiHangup))

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=80))
    @quick
    def test_the_value_of_a_variable_is_given_as_it_is(self, value: str) -> None:
        values, _ = read([CALL, f"200 result=1 ({value})\n".encode()])
        answer = values[-1]
        assert isinstance(answer, AgiAnswer)
        self.assertEqual(answer.note, value)

    def test_what_is_unknown_is_nothing(self) -> None:
        (call,), _ = read([b"agi_callerid: unknown\nagi_network_script: /bill/?a=1\n\n"])
        assert isinstance(call, AgiCall)
        self.assertEqual((call["callerid"], call["dnid"], call.path), ("", "", "bill"))

    def test_no_line_and_no_list_of_lines_is_endless(self) -> None:
        for data, expected in (
            (b"agi_a: " + b"x" * MAX_LINE, "longer line"),
            (b"x" * (MAX_LINE + 1), "longer line"),
            (b"".join(b"agi_%d: x\n" % number for number in range(MAX_LINES + 1)), "more lines"),
            (CALL + b"520-usage\n" + b"x\n" * (MAX_LINES + 1), "more lines"),
        ):
            _, error = read([data + b"\n"])
            self.assertIn(expected, error or "")

    def test_an_error_is_raised_again(self) -> None:
        reader = AgiReader()
        for _ in range(2):
            with self.assertRaises(AgiError):
                list(reader.receive(b"nonsense\n"))

    def test_who_calls_and_what_they_type_stand_in_no_repr(self) -> None:
        values, _ = read([CALL, b"200 result=4711 (13800138000)\n"])
        for secret in ("138", "4711"):
            self.assertNotIn(secret, repr(values))


class WritingTests(SynchronousTestCase):
    """Commands."""

    @given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=40)))
    @example(["", 'a "b" \\', " ", "\\", '"', "demo", "0123456789*#"])
    @quick
    def test_arguments_come_out_as_they_went_in(self, arguments: list[str]) -> None:
        try:
            line = write_command("STREAM FILE", *arguments)
        except AgiError:
            self.assertGreater(sum(len(one.encode()) for one in arguments), MAX_COMMAND // 3)
            return
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(arguments_of(line.decode()[:-1]), ["STREAM", "FILE", *arguments])

    @given(st.text(max_size=20), st.sampled_from("\r\n\0"), st.text(max_size=20))
    @quick
    def test_nothing_gets_another_command_in(self, before: str, end: str, after: str) -> None:
        error = self.assertRaises(AgiError, write_command, "SAY ALPHA", f"{before}{end}{after}", "")
        self.assertIn("SAY ALPHA, argument 1", str(error))

    def test_a_command_that_asterisk_would_cut_is_refused(self) -> None:
        self.assertRaises(AgiError, write_command, "SAY DIGITS", "1" * MAX_COMMAND)
        self.assertRaises(AgiError, write_command, "SAY DIGITS", "\ud800x")
        self.assertRaises(AgiError, write_command, "say digits\nHANGUP")
