"""Automatic services for customers who come by telephone, over an Asterisk's FastAGI."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any

from attrs import field, frozen
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ctiex.carriers.sip_header import SERIAL_HEADER
from ctiex.carriers.user_to_user import USER_TO_USER
from ctiex.clients.account import ExchangeAccount
from ctiex.clients.automatic_service import NOT_THIS_SERVICES, AutomaticService
from ctiex.clients.lifecycle import Lifecycle
from ctiex.clients.link import ClientLink
from ctiex.clients.own_ports import OwnPorts
from ctiex.clients.served_call import Handler, ServedCall
from ctiex.errors import CallerHungUp, CallError, LinkError, Status
from ctiex.fields import Fields
from ctiex.interfaces import IMedia, ISerialCarrier, Signalled
from ctiex.links.ports import GuardedFactory, PortBounds
from ctiex.monitoring.log_limiter import LogLimiter
from ctiex.services.outcome import Outcome, Service, failed
from ctiex.services.serving import serve
from ctiex.telephony.asterisk.agi import AgiError
from ctiex.telephony.asterisk.allowed_hosts import Sources
from ctiex.telephony.asterisk.fastagi import MOST_CHANNELS, AgiChannel, FastAgiServer
from ctiex.telephony.asterisk.media import AsteriskMedia
from ctiex.telephony.asterisk.sounds import CALL_UNKNOWN, PLEASE_WAIT, UNAVAILABLE, Sounds

_log = Logger()

ANY_PATH = "*"
"""Stands for every path that has no service of its own."""
LANGUAGE_FIELD = "language"
"""The field that says in which language the customer hears the prompts."""
_BEARABLE_SILENCE = 1.5
"""How long a customer hears nothing while their data is fetched, in seconds."""
_UUI_VARIABLE, _HEADER_VARIABLE = "CTIEX_UUI", "CTIEX_HEADER"


@frozen
class VoiceSettings:
    """What can be chosen."""

    sounds: Sounds = field(factory=Sounds)
    sources: Sources = field(factory=Sources.of)
    """Whose connections are taken; this machine's alone by default."""
    data_within: float = 5.0
    """How long a customer may wait for the exchange to give the data, in seconds."""
    told_within: float = 2.0
    """How long they may wait, once they have been served, until the exchange has the result, in seconds."""
    max_calls: int = MOST_CHANNELS


class VoiceServices(MultiService):
    """The automatic services of one process: AGI calls come in, and are served by the service that their path names.

    A customer whose call the exchange does not know, or whose data doesn't come in time, hears an announcement and is
    let go. Whatever happens, the connection is closed in the end, and the dialplan goes on.
    """

    name = "ctiex-voice-services"

    def __init__(
        self,
        reactor: Any,
        account: ExchangeAccount,
        services: Mapping[str, Service],
        settings: VoiceSettings | None = None,
        carrier: ISerialCarrier | None = None,
        random: Random | None = None,
    ) -> None:
        """Services that aren't started yet.

        :param services: by the path of the AGI call, as ``password`` for ``AGI(agi://host:4573/password)``; one under
            ``*`` takes every other path.
        :param carrier: takes the serial out of what a call comes with; by default whichever arrives.
        """
        super().__init__()
        self._life = Lifecycle(self._begin, self._stop)
        self._settings = VoiceSettings() if settings is None else settings
        self._paths = frozenset(services)
        handlers = {path: self._handler(service) for path, service in services.items()}
        self.automatic = AutomaticService(
            reactor, account, handlers, _no_media, carrier, random, self._settings.max_calls
        )
        self.automatic.setServiceParent(self)
        sources, most = self._settings.sources, self._settings.max_calls
        self._server = FastAgiServer(reactor, self._arrived, sources, most, LogLimiter().allows)
        # One Asterisk alone may have all of them: what it lets in is a customer, and it is known by its address.
        bounds = PortBounds("AGI calls", lambda: most, lambda: most)
        self._ports = OwnPorts(lambda: GuardedFactory(self._server, bounds, reactor))

    async def listen(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        """Take AGI calls there from now on, while the services run."""
        return await self._ports.listen(endpoint)

    def bound(self) -> Deferred[ClientLink]:
        """Fires once the exchange has let the services in; fails with BindRefused when it doesn't."""
        return self.automatic.bound()

    @property
    def calls(self) -> int:
        """How many calls are connected."""
        return len(self._server.channels)

    def startService(self) -> None:
        """Start the services; those that are being stopped, as soon as they have."""
        self._life.start()

    def stopService(self) -> Deferred[None]:
        """Take no more calls, let those under way finish for a moment, and say goodbye."""
        return self._life.stop()

    def _begin(self) -> None:
        super().startService()
        self._ports.open_again()

    async def _stop(self) -> None:
        await self._ports.close()
        await super().stopService()
        self._server.cut_all()

    # ------------------------------------------------------------ a call

    async def _arrived(self, channel: AgiChannel) -> None:
        media = AsteriskMedia(channel, self._settings.sounds)
        signalled = await _signalled(channel)
        path = channel.call.path if channel.call.path in self._paths else ANY_PATH
        try:
            await self.automatic.serve_arrival(path, signalled, media, self._settings.told_within)
        except CallError as refused:
            _log.warn("a call to {path!r} isn't served: {reason}", path=channel.call.path[:64], reason=str(refused))
            await media.answer()
            await media.play(_announcement(refused))
        await media.hang_up()

    def _handler(self, service: Service) -> Handler:
        async def handle(call: ServedCall) -> Outcome:
            assert isinstance(call.media, AsteriskMedia)
            await call.media.answer()
            try:
                fields = await self._fetched(call)
            except CallError as refused:
                await _announce(call.media, _announcement(refused))
                if refused.status in NOT_THIS_SERVICES:
                    raise
                return failed("the exchange gave no data")
            except LinkError as error:
                _log.error("no data for call {serial}: {reason}", serial=call.serial, reason=str(error))
                await _announce(call.media, UNAVAILABLE)
                return failed("the exchange could not be reached in time")
            await call.media.speak(fields.text(LANGUAGE_FIELD))
            return await serve(service, call, fields)

        return handle

    async def _fetched(self, call: ServedCall) -> Fields:
        """The call's data. Until it comes the customer is asked to wait, so that the line isn't silent.

        :raise CallError: the exchange refuses it.
        :raise LinkError: it doesn't come in time.
        """
        asking_to_wait = LoopingCall(lambda: ensureDeferred(_announce(call.media, PLEASE_WAIT)))
        asking_to_wait.clock = self.automatic.reactor
        asking_to_wait.start(_BEARABLE_SILENCE, now=False)
        try:
            return await call.data(self._settings.data_within)
        finally:
            asking_to_wait.stop()


def _no_media(call: ServedCall) -> IMedia:
    """A Connection of the exchange is refused: customers come by telephone here."""
    raise CallError(Status.SERVICE_REFUSED, "customers come by telephone here")


def _announcement(refused: CallError) -> str:
    unknown = refused.status in NOT_THIS_SERVICES or refused.status is Status.DUPLICATE_SERIAL
    return CALL_UNKNOWN if unknown else UNAVAILABLE


async def _announce(media: IMedia, prompt: str) -> None:
    """Tell the customer why it failed; one who leaves meanwhile, or can't hear it, changes nothing about that."""
    with suppress(CallerHungUp, AgiError):
        await media.play(prompt)


async def _signalled(channel: AgiChannel) -> Signalled:
    """What came with the call: the calling number, and the header fields that the dialplan has put into variables."""
    headers: dict[str, str] = {}
    information = await channel.command("GET VARIABLE", _UUI_VARIABLE)
    if information.note:
        headers[USER_TO_USER] = information.note
    name, colon, value = (await channel.command("GET VARIABLE", _HEADER_VARIABLE)).note.partition(":")
    if not colon:
        name, value = SERIAL_HEADER, name
    if value.strip():
        headers[name.strip()] = value.strip()
    return Signalled(channel.call["callerid"], headers)
