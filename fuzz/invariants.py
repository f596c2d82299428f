"""What both codecs promise, for any bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctiex.interfaces import Frame, ICodec
    from ctiex.messages import Message

LIMIT = 65_536


def frames_of(codec: ICodec, *chunks: bytes) -> tuple[list[tuple[int, int, object]], str]:
    """Kind, invoke id and body of every frame, and the error that ended the stream, if any."""
    from ctiex.errors import CodecError

    decoder, found = codec.decoder(LIMIT), []
    try:
        for chunk in chunks:
            decoder.receive(chunk)
            for frame in decoder.frames():
                found.append((frame.kind, frame.invoke_id, frame.body))
    except CodecError as error:
        return found, f"{error.status}"
    assert decoder.buffered() <= LIMIT + 12, "more than a frame waits for its rest"
    return found, ""


def same_in_any_split(codec: ICodec, data: bytes) -> None:
    """A stream gives the same frames in one segment, in two and byte by byte.

    :raise AssertionError: it doesn't.
    """
    whole = frames_of(codec, data)
    middle = len(data) // 2
    assert frames_of(codec, data[:middle], data[middle:]) == whole, "two segments give other frames than one"
    if len(data) < 300:
        assert frames_of(codec, *(data[at : at + 1] for at in range(len(data)))) == whole, "single bytes do"


def decoded(codec: ICodec, data: bytes) -> list[tuple[Frame, Message]]:
    """The good messages of a stream with their frames; the others have to be CodecErrors."""
    from ctiex.errors import CodecError

    decoder, good = codec.decoder(LIMIT), []
    decoder.receive(data)
    try:
        for frame in decoder.frames():
            try:
                good.append((frame, codec.decode_body(frame)))
            except CodecError as error:
                assert str(error), "an error has to say what was wrong"
    except CodecError as error:
        assert str(error), "an error has to say what was wrong"
    return good
