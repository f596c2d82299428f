"""Logs: one JSON object a line, whatever an event holds, and never channel associated data."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ctiex.app import logs
from ctiex.errors import CallError
from ctiex.fields import Fields
from ctiex.messages import ConnectRequest


class Unspeakable:
    """What can't even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Misleading(str):
    """A text that says something else."""

    def __str__(self) -> str:
        return "x" * 99


plain = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = plain | st.one_of(
    st.binary(),
    st.floats(),
    st.just(Unspeakable()),
    st.just(10**5000),
    st.just(object()),
    st.just({1: object()}),
    st.just(Failure(ValueError("no"))),
    st.just(Misleading("short")),
    st.text(st.characters(categories=["Cs"]), min_size=1),
)
names = st.text() | st.sampled_from(["time", "text", "level", "namespace", "failure", "system", "log_source", "text_"])


def line_of(text: str = "words", level: Any = LogLevel.info, **fields: Any) -> dict[str, Any]:
    """The line of an event that a Logger emits."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        lines.append(logs.json_line(event))

    publisher = LogPublisher(observe)
    Logger("ctiex.some.module", observer=publisher).emit(level, text, **fields)
    (line,) = lines
    read: dict[str, Any] = json.loads(line)
    return read


class JsonTests(SynchronousTestCase):
    """``ctiex.app.logs.json``."""

    @settings(deadline=None)
    @given(st.dictionaries(names, values))
    def test_any_event_is_one_object_on_one_line(self, event: dict[str, Any]) -> None:
        line = logs.json_line(event)
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.endswith("\n"))
        read = json.loads(line, parse_constant=self.fail)
        self.assertLessEqual({"time", "level", "namespace", "text"}, set(read))

    @settings(deadline=None)
    @given(st.dictionaries(st.from_regex("[a-k]+", fullmatch=True), plain))
    def test_plain_fields_keep_their_values(self, fields: dict[str, Any]) -> None:
        read = json.loads(logs.json_line({**fields, "log_time": 0.0}))
        self.assertEqual({name: read[name] for name in fields if name not in logs._TWISTED_KEYS}, fields)

    def test_a_line_tells_when_where_and_what(self) -> None:
        read = line_of("exchange {id} is ready", LogLevel.warn, id="1", calls=3)
        self.assertEqual(
            {**read, "time": None},
            {"time": None, "level": "warn", "namespace": "ctiex.some.module", "text": "exchange 1 is ready",
             "id": "1", "calls": 3},
        )  # fmt: skip
        self.assertRegex(read["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")

    def test_the_time_is_utc(self) -> None:
        self.assertEqual(json.loads(logs.json_line({"log_time": 86400.25}))["time"], "1970-01-02T00:00:00.250+00:00")

    def test_a_field_of_a_taken_name_is_kept_under_another(self) -> None:
        read = json.loads(logs.json_line({"log_format": "words", "text_": "a second", "text": "its own"}))
        self.assertEqual((read["text"], read["text_"], read["text__"]), ("words", "a second", "its own"))

    def test_a_failure_brings_its_traceback(self) -> None:
        read = line_of("it failed", LogLevel.critical, log_failure=Failure(CallError(20)))
        self.assertEqual(read["level"], "critical")
        self.assertIn("CallError", read["failure"])

    def test_channel_associated_data_never_appears(self) -> None:
        fields = Fields({"password": "hunter2", "pin": 4711, "key": b"opensesame"})
        request = ConnectRequest("", "1001", "some-service", "13800138000", fields)
        text = json.dumps(line_of("{request} with {fields}", request=request, fields=fields, held=[{"in": fields}]))
        for secret in ("hunter2", "4711", "opensesame", b"opensesame".hex()):
            self.assertNotIn(secret, text)
        self.assertIn("password=text[7]", text)


class ObserverTests(SynchronousTestCase):
    """What ``twistd --logger=`` makes of the names."""

    def written(self, make: Any) -> str:
        with redirect_stdout(io.StringIO()) as stdout:
            observer = make()
        self.assertTrue(verifyObject(ILogObserver, observer))
        Logger("ctiex.some.module", observer=observer).info("it is {what}", what="so")
        return stdout.getvalue()

    def test_json_goes_to_standard_output(self) -> None:
        self.assertEqual(json.loads(self.written(logs.json))["what"], "so")

    def test_lines_for_people_go_to_standard_output(self) -> None:
        self.assertRegex(self.written(logs.human), r"^\S+ \[ctiex\.some\.module#info\] it is so\n$")

    def test_what_code_of_the_old_kind_logs_is_shown_too(self) -> None:
        event = {"log_text": "old words", "log_format": "{log_text}", "message": ("old words",), "isError": 0}
        read = json.loads(logs.json_line(event))
        self.assertEqual(read["text"], "old words")
        self.assertNotIn("message", read)
