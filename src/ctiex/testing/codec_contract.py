"""The contract of ICodec: subclass it in your tests, and your codec is held to every rule.

::

    class TestMine(CodecContract, SynchronousTestCase):
        def make_codec(self) -> ICodec:
            return MyCodec()
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from ctiex.codecs import encode
from ctiex.errors import CodecError, FrameTooLong
from ctiex.interfaces import Extensions, Frame, ICodec, IDecoder
from ctiex.messages import KIND_OF, Message, Ping
from ctiex.testing.strategies import QUICK, extensions, invoke_ids, messages, messages_of, splits

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

ROOMY = 1 << 24
"""A limit that none of the messages here reaches."""

Outcome = list[tuple[int, int, Any, type[CodecError] | None] | type[CodecError]]
"""What came of some bytes: frames as kind, invoke id, message and fault; then the error that ended the link."""


def outcome(codec: ICodec, chunks: Iterable[bytes], max_frame: int = ROOMY) -> Outcome:
    """What a fresh decoder makes of these chunks."""
    decoder = codec.decoder(max_frame)
    found: Outcome = []
    for chunk in chunks:
        decoder.receive(chunk)
        try:
            for frame in decoder.frames():
                found.append(_told(codec, frame))
        except CodecError as error:
            return [*found, type(error)]
    return found


def _told(codec: ICodec, frame: Frame) -> tuple[int, int, Any, type[CodecError] | None]:
    if frame.fault is not None:
        return frame.kind, frame.invoke_id, None, type(frame.fault)
    try:
        return frame.kind, frame.invoke_id, codec.decode_body(frame), None
    except CodecError as error:
        return frame.kind, frame.invoke_id, None, type(error)


class CodecContract(_Base):
    """Every rule of ICodec and IDecoder, as properties; mix it into a SynchronousTestCase."""

    def make_codec(self) -> ICodec:
        """The codec to be tried."""
        raise NotImplementedError("give the codec that is to be tried")

    def test_provides_the_interfaces(self) -> None:
        codec = self.make_codec()
        verifyObject(ICodec, codec)
        verifyObject(IDecoder, codec.decoder(ROOMY))

    @settings(QUICK, max_examples=20)
    @given(data=st.data())
    def test_every_message_comes_back_as_it_was(self, data: st.DataObject) -> None:
        codec = self.make_codec()
        for message in [data.draw(messages_of(each)) for each in KIND_OF]:
            decoder = codec.decoder(ROOMY)
            decoder.receive(encode(codec, message, 7))
            (frame,) = decoder.frames()
            self.assertEqual(codec.decode_body(frame), message)
            self.assertEqual((frame.kind, frame.invoke_id, frame.fault), (KIND_OF[type(message)], 7, None))

    @QUICK
    @given(data=st.binary(max_size=200), message=messages(), cut=st.integers(0, 200))
    def test_any_bytes_give_frames_or_a_codec_error(self, data: bytes, message: Message, cut: int) -> None:
        codec = self.make_codec()
        good = encode(codec, message, 1)
        for stream in (data, good[:cut] + data + good[cut:], good[:cut] + data):
            outcome(codec, [stream])

    @QUICK
    @given(
        data=st.data(),
        sent=st.lists(st.tuples(messages(), invoke_ids(), extensions()), max_size=4),
        noise=st.binary(max_size=30),
        max_frame=st.sampled_from([40, 65_536]),
    )
    def test_every_split_gives_the_same(
        self, data: st.DataObject, sent: list[tuple[Message, int, Extensions]], noise: bytes, max_frame: int
    ) -> None:
        codec = self.make_codec()
        stream = b"".join(
            codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message), behind)
            for message, invoke_id, behind in sent
        )
        at = data.draw(st.integers(0, len(stream)))
        stream = stream[:at] + noise + stream[at:]
        whole = outcome(codec, [stream], max_frame)
        self.assertEqual(outcome(codec, data.draw(splits(stream)), max_frame), whole)

    @QUICK
    @given(message=messages(), first=invoke_ids(), second=invoke_ids())
    def test_a_body_serves_several_invoke_ids(self, message: Message, first: int, second: int) -> None:
        codec = self.make_codec()
        kind, body = KIND_OF[type(message)], codec.encode_body(message)
        sent = codec.frame(kind, first, body) + codec.frame(kind, second, body)
        self.assertEqual(outcome(codec, [sent]), [(kind, first, message, None), (kind, second, message, None)])

    @QUICK
    @given(message=messages(), invoke_id=invoke_ids(), behind=extensions())
    def test_extensions_are_skipped_on_every_kind(self, message: Message, invoke_id: int, behind: Extensions) -> None:
        codec = self.make_codec()
        kind = KIND_OF[type(message)]
        stream = codec.frame(kind, invoke_id, codec.encode_body(message), behind) + encode(codec, Ping(), 1)
        self.assertEqual(outcome(codec, [stream]), [(kind, invoke_id, message, None), (5, 1, Ping(), None)])

    def test_extensions_that_have_no_place_are_refused(self) -> None:
        codec = self.make_codec()
        for behind in ([(1, b"")] * 256, [(65_536, b"")], [(-1, b"")], [(1, b"x" * 65_536)]):
            self.assertRaises(CodecError, codec.frame, KIND_OF[Ping], 1, codec.encode_body(Ping()), behind)

    @QUICK
    @given(message=messages(), invoke_id=invoke_ids())
    def test_frame_length_tells_which_limit_is_enough(self, message: Message, invoke_id: int) -> None:
        codec = self.make_codec()
        body = codec.encode_body(message)
        stream = codec.frame(KIND_OF[type(message)], invoke_id, body)
        limit = codec.frame_length(body)
        self.assertEqual(len(outcome(codec, [stream], limit)), 1)
        self.assertNotIn(FrameTooLong, outcome(codec, [stream], limit))

    @QUICK
    @given(before=messages(), message=messages())
    def test_a_frame_over_the_limit_ends_the_link_for_good(self, before: Message, message: Message) -> None:
        codec = self.make_codec()
        bodies = [codec.encode_body(each) for each in (before, message)]
        if len(bodies[0]) + 100 >= len(bodies[1]):
            return
        decoder = codec.decoder(codec.frame_length(bodies[0]))
        decoder.receive(encode(codec, before, 1) + encode(codec, message, 2))
        frames = decoder.frames()
        self.assertEqual(codec.decode_body(next(frames)), before)
        self.assertRaises(FrameTooLong, next, frames)
        decoder.receive(encode(codec, before, 3))
        self.assertRaises(FrameTooLong, list, decoder.frames())
        self.assertEqual(decoder.buffered(), 0)

    @QUICK
    @given(before=messages(), message=messages())
    def test_the_limit_may_be_set_between_two_frames(self, before: Message, message: Message) -> None:
        """What was agreed at Bind holds for whatever comes behind the BindReply, also in the same segment."""
        codec = self.make_codec()
        lengths = [codec.frame_length(codec.encode_body(each)) for each in (before, message)]
        decoder = codec.decoder(lengths[0])
        decoder.receive(encode(codec, before, 1) + encode(codec, message, 2))
        frames = decoder.frames()
        next(frames)
        decoder.max_frame = max(lengths)
        self.assertEqual(codec.decode_body(next(frames)), message)

    def test_what_waits_for_its_rest_is_counted(self) -> None:
        codec = self.make_codec()
        decoder = codec.decoder(ROOMY)
        stream = encode(codec, Ping(), 1)
        decoder.receive(stream + stream[:-1])
        self.assertEqual(len(list(decoder.frames())), 1)
        self.assertEqual(decoder.buffered(), len(stream) - 1)
        decoder.receive(stream[-1:])
        self.assertEqual((len(list(decoder.frames())), decoder.buffered()), (1, 0))
