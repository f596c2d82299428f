"""``signalling = "asterisk"``: transfers on an Asterisk, by its manager interface (AMI)."""

from __future__ import annotations

from functools import partial

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import BaseSignallingPlugin, ISignalling, ISignallingPlugin, SignallingContext
from ctiex.links.endpoints import client_endpoint
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import AmiAccount
from ctiex.telephony.asterisk.calls import EVENTS
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings


@implementer(IPlugin, ISignallingPlugin)
class AsteriskSignallingPlugin(BaseSignallingPlugin):
    """``signalling = "asterisk"``."""

    name = "asterisk"
    settings = AsteriskSettings
    service_settings = AsteriskServiceSettings

    def build(self, context: SignallingContext) -> ISignalling:
        """The driver.

        :raise ConfigurationError: the endpoint is invalid.
        """
        reactor, settings = context.reactor, context.settings
        account = AmiAccount(
            client_endpoint(reactor, settings.endpoint),
            settings.username,
            settings.shared_secret(),
            events=EVENTS,
            answer_timeout=settings.answer_timeout,
        )
        platform = AsteriskPlatform(reactor, settings, context.services, partial(AmiClient, reactor, account))
        return TransferSignalling(platform, context.listener, platform)
