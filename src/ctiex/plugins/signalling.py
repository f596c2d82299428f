"""The built-in signalling drivers."""

from ctiex.signalling.dial import DialSignallingPlugin
from ctiex.signalling.link import LinkSignallingPlugin

link = LinkSignallingPlugin()
dial = DialSignallingPlugin()
