"""The codec against the contract, and what is its own."""

from __future__ import annotations

from ctiex_smallsite.prefixed_json import PrefixedJsonCodec
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs import encode
from ctiex.interfaces import ICodec, ICodecPlugin
from ctiex.messages import DataRequest
from ctiex.plugins import find_plugin
from ctiex.testing.codec_contract import CodecContract


class PrefixedJsonTests(CodecContract, SynchronousTestCase):
    """Every rule of ICodec."""

    def make_codec(self) -> ICodec:
        """The codec as an exchange finds it."""
        return find_plugin(ICodecPlugin, "prefixed-json").build()

    def test_a_frame_is_a_length_and_an_array(self) -> None:
        frame = encode(PrefixedJsonCodec(), DataRequest("007", ""), 5)
        self.assertEqual(frame, b'\x00\x00\x00\x2d[34,5,{"serial":"007","exchange_address":""}]')
