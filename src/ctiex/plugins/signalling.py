"""The built-in signalling drivers."""

from ctiex.signalling.asterisk import AsteriskSignallingPlugin
from ctiex.signalling.dial import DialSignallingPlugin
from ctiex.signalling.link import LinkSignallingPlugin

link = LinkSignallingPlugin()
dial = DialSignallingPlugin()
asterisk = AsteriskSignallingPlugin()
