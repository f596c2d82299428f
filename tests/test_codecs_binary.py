"""The binary codec: the same bytes back, and each broken rule with its own outcome."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs import encode
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.framing import extension_bytes
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind, UnsupportedVersion
from ctiex.interfaces import Extensions, Frame
from ctiex.messages import CALL_CONTROL_KINDS, KINDS, VERSION, AgentLogout, DataRequest, Error, Message, Ping, Unbind
from ctiex.testing.codec_contract import Outcome, outcome
from ctiex.testing.strategies import extensions, invoke_ids, messages, splits

from .effort import examples

CODEC = BinaryCodec()
PROPERTY = settings(deadline=None)


def header(length: int = 8, version: int = VERSION, kind: int = 5, flags: int = 0, invoke_id: int = 9) -> bytes:
    return struct.pack(">IBBHI", length, version, kind, flags, invoke_id)


PING = header()
PINGED = (5, 9, Ping(), None)


def came_of(data: bytes, max_frame: int = 65_536) -> Outcome:
    return outcome(CODEC, [data], max_frame)


class TestBytes(SynchronousTestCase):
    @PROPERTY
    @given(messages(), invoke_ids())
    def test_what_decodes_encodes_to_the_same_bytes(self, message: Message, invoke_id: int) -> None:
        data = encode(CODEC, message, invoke_id)
        ((kind, found_id, found, fault),) = came_of(data, 1 << 24)  # type: ignore[misc]
        self.assertEqual((fault, CODEC.frame(kind, found_id, CODEC.encode_body(found))), (None, data))

    @PROPERTY
    @given(messages(), invoke_ids(), extensions())
    def test_extensions_stand_behind_the_body_under_flag_1(
        self, message: Message, invoke_id: int, behind: Extensions
    ) -> None:
        plain = encode(CODEC, message, invoke_id)
        data = CODEC.frame(plain[5], invoke_id, plain[12:], behind)
        told = extension_bytes(behind) if behind else b""
        self.assertEqual(data[12:], plain[12:] + told)
        self.assertEqual((data[4:6], data[6:8]), (plain[4:6], bytes([0, bool(behind)])))
        self.assertEqual(came_of(data, 1 << 24), came_of(plain, 1 << 24), "whoever knows none of them reads the same")

    @settings(deadline=None, max_examples=examples(500))
    @given(st.sampled_from(list(KINDS)), st.binary(max_size=24))
    def test_any_body_that_decodes_encodes_to_the_same_bytes(self, kind: int, body: bytes) -> None:
        try:
            message = CODEC.decode_body(Frame(kind, 1, body))
        except CodecError:
            return
        self.assertEqual(CODEC.encode_body(message), body)

    def test_an_unknown_status_stays_as_it_is(self) -> None:
        body = CODEC.encode_body(Error(999, 0xFF))
        self.assertEqual(CODEC.decode_body(Frame(7, 0, body)), Error(999, 0xFF))

    def test_frame_length_is_the_value_of_length(self) -> None:
        body = CODEC.encode_body(DataRequest("007", "here"))
        (length,) = struct.unpack_from(">I", CODEC.frame(0x22, 1, body))
        self.assertEqual(CODEC.frame_length(body), length)


class TestFaultsLeaveTheLinkOpen(SynchronousTestCase):
    def test_flags_are_judged_before_the_kind(self) -> None:
        for kind in (5, 8, 0x30):
            for flags in (2, 3, 0x100, 0x8000, 0xFFFF):
                found = came_of(header(kind=kind, flags=flags) + PING)
                self.assertEqual(found, [(kind, 9, None, MalformedFrame), PINGED])

    @PROPERTY
    @given(
        st.integers(0, 255).filter(lambda kind: kind not in KINDS and kind not in CALL_CONTROL_KINDS),
        st.binary(max_size=20),
        st.sampled_from([0, 1]),
    )
    def test_an_unknown_kind(self, kind: int, body: bytes, flags: int) -> None:
        found = came_of(header(8 + len(body), kind=kind, flags=flags) + body + PING)
        self.assertEqual(found, [(kind, 9, None, UnknownKind), PINGED])

    def test_the_kinds_of_call_control_that_are_not_assigned_are_known_and_have_no_messages(self) -> None:
        self.assertEqual(set(CALL_CONTROL_KINDS) - set(KINDS), {0x39, 0x3B, 0x3D, 0x3E, 0x3F})
        for kind in set(CALL_CONTROL_KINDS) - set(KINDS):
            decoder = CODEC.decoder(100)
            decoder.receive(header(9, kind=kind) + b"x")
            (frame,) = decoder.frames()
            self.assertEqual((frame.kind, frame.invoke_id, frame.fault), (kind, 9, None))
            self.assertRaises(UnknownKind, CODEC.decode_body, frame)

    def test_extensions_that_break_their_layout(self) -> None:
        for behind in (
            "", "01", "01 8000", "01 8000 0001", "02 8000 0000", "00 00", "01 8000 0000 00", "ff",
            "01 8000 ffff 00", "00 01",
        ):  # fmt: skip
            data = bytes.fromhex(behind)
            found = came_of(header(8 + len(data), flags=1) + data + PING)
            self.assertEqual(found, [(5, 9, None, MalformedFrame), PINGED], behind)

    def test_a_flag_and_no_extensions_in_their_list(self) -> None:
        self.assertEqual(came_of(header(9, flags=1) + b"\0"), [PINGED])

    def test_extensions_that_no_flag_tells_of_are_left_over(self) -> None:
        found = came_of(header(13) + bytes.fromhex("01 8000 0000") + PING)
        self.assertEqual(found, [(5, 9, None, MalformedFrame), PINGED])

    def test_a_bad_body(self) -> None:
        found = came_of(header(9) + b"\0" + PING)
        self.assertEqual(found, [(5, 9, None, MalformedFrame), PINGED])

    def test_decoding_a_faulty_frame_raises_its_fault(self) -> None:
        self.assertRaises(UnknownKind, CODEC.decode_body, Frame(5, 1, b"", UnknownKind("told before")))
        self.assertRaises(UnknownKind, CODEC.decode_body, Frame(8, 1, b""))


class TestWhatEndsTheLink(SynchronousTestCase):
    def assert_ends(self, data: bytes, at: int, error: type[CodecError], max_frame: int = 100) -> None:
        """It ends with the byte before ``at`` and not before that, after the frame that came first."""
        self.assertEqual(came_of(PING + data[: at - 1], max_frame), [PINGED])
        self.assertEqual(came_of(PING + data[:at], max_frame), [PINGED, error])
        self.assertEqual(came_of(PING + data + PING, max_frame), [PINGED, error])

    def test_a_length_over_the_limit_as_soon_as_it_is_there(self) -> None:
        self.assert_ends(header(101), 4, FrameTooLong)
        self.assert_ends(header(2**32 - 1), 4, FrameTooLong)

    def test_a_length_below_8_as_soon_as_it_is_there(self) -> None:
        self.assert_ends(header(7), 4, MalformedFrame)
        self.assert_ends(header(0), 4, MalformedFrame)

    def test_another_version_as_soon_as_it_is_there(self) -> None:
        self.assert_ends(header(version=1), 5, UnsupportedVersion)
        self.assert_ends(header(version=3), 5, UnsupportedVersion)
        self.assert_ends(header(version=0), 5, UnsupportedVersion)

    def test_the_length_is_judged_before_the_version(self) -> None:
        self.assert_ends(header(101, version=1), 4, FrameTooLong)

    def test_the_limit_itself_is_allowed(self) -> None:
        self.assertEqual(came_of(header(100) + bytes(92), 100), [(5, 9, None, MalformedFrame)])

    def test_it_is_raised_again_and_nothing_more_is_kept(self) -> None:
        decoder = CODEC.decoder(100)
        decoder.receive(header(version=3) + PING)
        for _ in range(3):
            self.assertRaises(UnsupportedVersion, list, decoder.frames())
            decoder.receive(PING * 1_000)
            self.assertEqual(decoder.buffered(), 0)


class TestSplits(SynchronousTestCase):
    @settings(deadline=None, max_examples=examples(200))
    @given(
        data=st.data(),
        lengths=st.lists(st.sampled_from([8, 8, 9, 20, 60, 61, 7, 0]), max_size=5),
        odd=st.sampled_from([{}, {}, {"version": 1}, {"flags": 1}, {"flags": 2}, {"kind": 8}, {"kind": 0x30}]),
        rest=st.binary(max_size=11),
    )
    def test_same_frames_and_same_error(
        self, data: st.DataObject, lengths: list[int], odd: dict[str, int], rest: bytes
    ) -> None:
        stream = b"".join(header(length) + bytes(max(0, length - 8)) for length in lengths) + header(**odd) + rest
        self.assertEqual(outcome(CODEC, data.draw(splits(stream)), 60), came_of(stream, 60))

    def test_no_split_leaves_more_than_a_frame_waiting(self) -> None:
        decoder = CODEC.decoder(100)
        stream = (header(100) + bytes(92)) * 3
        seen = 0
        for at in range(len(stream)):
            decoder.receive(stream[at : at + 1])
            seen += len(list(decoder.frames()))
            self.assertLess(decoder.buffered(), 104)
        self.assertEqual((seen, decoder.buffered()), (3, 0))

    def test_frames_not_taken_yet_wait_while_more_comes(self) -> None:
        decoder = CODEC.decoder(100)
        decoder.receive(PING + header(invoke_id=10) + PING[:5])
        frames = decoder.frames()
        taken = [next(frames).invoke_id]
        decoder.receive(PING[5:] + header(invoke_id=11))
        taken += [frame.invoke_id for frame in frames]
        self.assertEqual(taken, [9, 10, 9, 11])


class TestEncoding(SynchronousTestCase):
    def assert_malformed(self, broken: Iterable[Message]) -> None:
        for message in broken:
            self.assertRaises(MalformedFrame, encode, CODEC, message)

    def test_lone_surrogates_long_texts_and_numbers_out_of_range(self) -> None:
        self.assert_malformed(
            [AgentLogout("\ud800"), AgentLogout("x" * 256), Unbind(0, "x" * 65_536), Unbind(65_536), Unbind(-1)]
        )

    def test_what_does_not_fit_the_header(self) -> None:
        for kind, invoke_id in ((256, 0), (-1, 0), (5, -1), (5, 2**32)):
            self.assertRaises(MalformedFrame, CODEC.frame, kind, invoke_id, b"")

    def test_extensions_that_have_no_place(self) -> None:
        wrong: list[Any] = [
            [(1, b"")] * 256, [(1, b"x" * 65_536)], [(65_536, b"")], [(-1, b"")], [(1, "x")], [("1", b"")], [(1, None)],
        ]  # fmt: skip
        for behind in wrong:
            self.assertRaises(MalformedFrame, CODEC.frame, 5, 1, b"", behind)

    def test_what_is_no_message(self) -> None:
        self.assertRaises(MalformedFrame, CODEC.encode_body, "Ping")
