"""Both built-in codecs keep the contract of ICodec, and are found by name."""

from __future__ import annotations

from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import ctiex.plugins
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.interfaces import ICodec, ICodecPlugin
from ctiex.plugins import built_in
from ctiex.testing.codec_contract import CodecContract


class TestBinaryKeepsTheContract(CodecContract, SynchronousTestCase):
    def make_codec(self) -> ICodec:
        return BinaryCodec()


class TestJsonKeepsTheContract(CodecContract, SynchronousTestCase):
    def make_codec(self) -> ICodec:
        return JsonCodec()


class TestPlugins(SynchronousTestCase):
    def test_each_is_a_plugin_and_builds_a_codec_of_its_name(self) -> None:
        for plugin in (built_in.binary, built_in.json):
            verifyObject(ICodecPlugin, plugin)
            verifyObject(IPlugin, plugin)
            self.assertEqual(plugin.build().name, plugin.name)

    def test_both_are_found_by_twisted(self) -> None:
        found = {plugin.name for plugin in getPlugins(ICodecPlugin, ctiex.plugins)}
        self.assertLessEqual({"binary", "json"}, found)
