"""The codecs that come with CTIEX: ``binary`` and ``json``."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.interfaces import ICodec, ICodecPlugin


@implementer(IPlugin, ICodecPlugin)
@frozen
class BuiltInCodec:
    """Finds one of them by name."""

    name: str
    build: Callable[[], ICodec]


binary = BuiltInCodec("binary", BinaryCodec)
json = BuiltInCodec("json", JsonCodec)
