"""The line protocol of AGI: any bytes in any split, and commands that come out as they went in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.telephony.asterisk.agi import (
    MAX_ABOUT_CALL,
    MAX_ANSWER,
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
                AgiAnswer(200, "-1"),
                AgiHangup(),
                AgiAnswer(200, "1", "13800138000**007"),
                AgiAnswer(200, "", "timeout"),
                AgiAnswer(200, "12", "timeout"),
                AgiAnswer(510, note="Invalid or unknown command"),
                AgiAnswer(511, note="Command Not Permitted on a dead channel or intercept routine"),
                AgiAnswer(520, note="HANGUP\n200 result=0"),
                AgiAnswer(200, "52"),
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
            (b"agi_a: " + b"x" * MAX_LINE, "too much text"),
            (b"x" * (MAX_LINE + 1), "expected agi_NAME"),
            (CALL + b"200 result=1 (" + b"x" * MAX_LINE, "too long"),
            (b"".join(b"agi_%d: x\n" % number for number in range(MAX_LINES + 1)), "too many lines"),
            (CALL + b"520-usage\n" + b"x\n" * (MAX_LINES + 1), "too many lines"),
        ):
            _, error = read([data + b"\n"])
            self.assertIn(expected, error or "")

    def test_a_head_takes_a_few_kilobytes_in_all(self) -> None:
        line = b"agi_%03d: " + b"x" * 200 + b"\n"
        data = b"".join(line % number for number in range(MAX_LINES))
        taken = 0
        reader = AgiReader()
        with self.assertRaisesRegex(AgiError, f"expected at most {MAX_ABOUT_CALL} bytes"):
            for start in range(0, len(data), 100):
                list(reader.receive(data[start : start + 100]))
                taken += 100
        self.assertLessEqual(taken, MAX_ABOUT_CALL)
        self.assertIn(f"{MAX_ABOUT_CALL} bytes", read([data])[1] or "")

    def test_what_is_no_agi_is_refused_before_its_line_ends(self) -> None:
        for data in (b"G", b"GET / HTTP/1.1\r\n", b"a\n", b"\x16\x03\x01", b"agI_", b"200 result=0\n"):
            self.assertIn("expected agi_NAME", read([data])[1] or "", data)
        self.assertEqual(read([b"agi"]), ([], None))

    def test_lines_without_an_answer_are_not_endless(self) -> None:
        for lines in (b"\n", b"100 Trying\n", b"x\n"):
            _, error = read([CALL + b"200 result=1 (a)\n" + lines * (MAX_LINES + 1)])
            self.assertIn("too many lines without an answer", error or "", lines)
        for begin in (b"200 result=1 (a\n", b"520-usage\n"):
            _, error = read([CALL + begin + (b"x" * 16_000 + b"\n") * 5])
            self.assertIn(f"expected at most {MAX_ANSWER} bytes", error or "", begin)

    def test_an_error_is_raised_again(self) -> None:
        reader = AgiReader()
        for _ in range(2):
            with self.assertRaises(AgiError):
                list(reader.receive(b"nonsense\n"))

    def test_who_calls_and_what_they_type_stand_in_no_repr(self) -> None:
        values, _ = read([CALL, b"200 result=4711 (13800138000)\n"])
        for secret in ("138", "4711"):
            self.assertNotIn(secret, repr(values))


NAMES = (
    "network", "network_script", "request", "channel", "language", "type", "uniqueid", "version", "callerid",
    "calleridname", "callingpres", "dnid", "rdnis", "context", "extension", "priority", "accountcode", "threadid",
)  # fmt: skip
"""What Asterisk 16 and 22 say of a call, in their order; behind it come the arguments of the script."""
whatever = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["x\n", "\n", "\n\n", "a\nb", "a\n\nagi_dnid: 911\n", "x\nHANGUP", "x\n200 result=1 (9**9)", "\nagi_callerid: 9**9"]
)
"""A text that a customer has chosen, on its way to spoil something."""


def said(variables: dict[str, str]) -> bytes:
    """What Asterisk writes about a call: every value as it is."""
    return "".join(f"agi_{name}: {value}\n" for name, value in variables.items()).encode() + b"\n"


class WhatCustomersChooseTests(SynchronousTestCase):
    """Asterisk writes names, numbers and variables as they are, line ends and all."""

    @given(whatever, st.lists(st.integers(0, 2_000), max_size=4))
    @quick
    def test_a_name_takes_no_other_variable_s_place_and_ends_nothing(self, name: str, cuts: list[int]) -> None:
        variables = {**{one: f"the {one}" for one in NAMES}, "callerid": "138**007", "calleridname": name}
        values, error = read(split(said(variables) + b"200 result=0\n", cuts))
        self.assertIsNone(error)
        call, answer = values
        assert isinstance(call, AgiCall)
        self.assertEqual(answer, AgiAnswer(200, "0"))
        for one in NAMES:
            if one != "calleridname":
                self.assertEqual(call[one], variables[one])

    def test_a_name_of_two_lines_is_read(self) -> None:
        for name, expected in (("John\nDoe", "John\nDoe"), ("John\n\nDoe", "John\n\nDoe"), ("John\n\n", "John")):
            variables = {**dict.fromkeys(NAMES, "x"), "calleridname": name}
            (call,), error = read([said(variables)])
            assert isinstance(call, AgiCall)
            self.assertEqual((call["calleridname"], error), (expected, None))

    def test_an_argument_that_ends_in_a_line_s_end_ends_no_call(self) -> None:
        head = said({**dict.fromkeys(NAMES, "x"), "arg_1": "a\n", "arg_2": "b"})
        values, error = read([head + b"200 result=0\n"])
        self.assertEqual((values[-1], error), (AgiAnswer(200, "0"), None))

    @given(whatever, st.lists(st.integers(0, 2_000), max_size=4))
    @quick
    def test_a_variable_is_read_with_all_its_lines(self, value: str, cuts: list[int]) -> None:
        data = CALL + f"200 result=1 ({value})\n200 result=0\n".encode()
        values, error = read(split(data, cuts))
        self.assertIsNone(error)
        seen = [one for one in values[1:] if isinstance(one, AgiAnswer)]
        if ")\n" not in value and ")\r\n" not in value:  # else it seems to end there
            self.assertEqual([one.note for one in seen[:-1]], [_without_returns(value)])
        self.assertEqual(seen[-1], AgiAnswer(200, "0"))

    @given(st.lists(st.sampled_from(["", "200 result=0", "200 result=1 (a)", "HANGUP", "100 Trying"]), max_size=20))
    @quick
    def test_empty_lines_anywhere_behind_the_head_are_nothing(self, lines: list[str]) -> None:
        values, error = read([CALL + "".join(f"{line}\n" for line in lines).encode()])
        self.assertIsNone(error)
        self.assertEqual(values, read([CALL + "".join(f"{line}\n" for line in lines if line).encode()])[0])

    def test_a_line_that_belongs_to_nothing_is_an_error(self) -> None:
        for line in (b"GET / HTTP/1.1", b"200 result=0\nnonsense", b"200 result=0\nagi_dnid: 9"):
            self.assertIn("expected an answer", read([CALL + line + b"\n"])[1] or "", line)


def _without_returns(value: str) -> str:
    """A line may end in CR LF, so that a CR before a line's end is none of the value's."""
    return value.replace("\r\n", "\n")


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
