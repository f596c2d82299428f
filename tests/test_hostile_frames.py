"""Mutated frames on both links of a running exchange: a short run of what ``make fuzz-frames`` does a million times."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase

from fuzz.frames import complaints, report, run
from fuzz.speech import BinarySpeech, Invalid, JsonSpeech
from fuzz.streams import healed, seen_in
from tests.wire_client import Kind, frame


class MutatedFrames(SynchronousTestCase):
    """No answer is wrong, none is missing, and nobody else notices."""

    def _send(self, codec: str, frames: int) -> None:
        outcome = run(codec, frames, seed=7)
        report(outcome)
        self.assertEqual(outcome.broken, [])
        self.assertGreaterEqual(outcome.fuzzed, frames)
        self.assertGreater(outcome.pair.completed, 5)
        self.assertGreater(len(outcome.answers), 10, "mutants reach every part of the exchange")

    @pytest.mark.gate
    def test_of_the_binary_codec(self) -> None:
        self._send("binary", 10_000)

    @pytest.mark.gate
    def test_of_the_json_codec(self) -> None:
        self._send("json", 4_000)


class TheCheckItself(SynchronousTestCase):
    """What the fuzzer takes for wrong."""

    def test_a_status_that_there_isnt_is_invalid(self) -> None:
        speech = BinarySpeech()
        good = speech.write(Kind.ERROR, 5, {"status": 51, "about": 0x14, "detail": ""})
        self.assertEqual(speech.read(good).invoke_id, 5)
        wrong_ones = good[:13] + b"\x34" + good[14:], good + b"\0", frame(0x99), frame(0x30), frame(Kind.PONG, flags=1)
        for wrong in (*wrong_ones, frame(Kind.PONG, version=1)):
            with self.assertRaises(Invalid):
                speech.read(wrong)

    def test_lines_are_held_to_their_attributes(self) -> None:
        speech = JsonSpeech()
        self.assertEqual(speech.read(b'{"kind":"Pong","id":3}\n').kind, Kind.PONG)
        for wrong in (b'{"kind":"Pong"}\n', b'{"kind":"Pong","id":3,"x":1}\n', b"[]\n", b'{"kind":"Nothing"}\n',
                      b'{"kind":"Pong","id":"3"}\n', b'{"kind":"Pong","id":4294967296}\n',
                      b'{"kind":"Pong","id":true}\n',
                      b'{"kind":"AgentLogoutReply","id":3,"status":"0"}\n',
                      b'{"kind":"AgentLogoutReply","id":3,"status":52}\n'):  # fmt: skip
            with self.assertRaises(Invalid):
                speech.read(wrong)

    def test_a_stream_is_seen_as_the_exchange_sees_it(self) -> None:
        speech, ping = BinarySpeech(), frame(Kind.PING, invoke_id=7)
        self.assertEqual(seen_in(speech, ping * 2).asked, [(5, 7)] * 2)
        self.assertEqual(seen_in(speech, ping + frame(5, version=1)).ends_with, 3)
        self.assertEqual(seen_in(speech, b"\0\0\0\7").ends_with, 1)
        self.assertEqual(seen_in(speech, b"\0\1\0\1").ends_with, 4)
        data, seen = healed(speech, ping + frame(Kind.BIND, bytes(9), flags=1)[:-4])
        self.assertEqual((len(data), len(seen.asked)), (12 + 21, 2))

    def test_a_traceback_in_the_log_is_a_complaint(self) -> None:
        self.assertEqual(complaints("12:00 [x#info] all is well"), [])
        self.assertEqual(len(complaints("12:00 [x#critical] failed\nTraceback (most\n  File x\nKeyError: 1")), 2)
