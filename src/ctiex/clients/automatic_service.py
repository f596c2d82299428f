"""The service's side: take a customer, ask for their data, serve them, report.

A service is one coroutine::

    async def greet(call: ServedCall) -> Outcome:
        fields = await call.data()
        await call.media.play("welcome")
        return Outcome(Condition.COMPLETED, Fields({"greeted": True}))

    AutomaticService(reactor, account, {"7000": greet}, make_media).startService()
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, ensureDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ctiex.carriers.combined import WHICHEVER_ARRIVES
from ctiex.clients.account import ExchangeAccount
from ctiex.clients.connection import ExchangeConnection
from ctiex.clients.dialled import DialledLinks
from ctiex.clients.faults import without_text
from ctiex.clients.lifecycle import Lifecycle
from ctiex.clients.link import ClientLink
from ctiex.clients.reporting import TOO_LARGE, until_kept, until_known
from ctiex.clients.served_call import (
    FinishedSerials,
    Handler,
    ServedCall,
    end_of,
    final_outcome,
    log_failure,
    log_fault,
    tell_changed,
    telling,
)
from ctiex.errors import CallerHungUp, CallError, CodecError, LinkError, Status
from ctiex.interfaces import NO_HEADERS, IMedia, ISerialCarrier, Signalled
from ctiex.messages import (
    CallEnded,
    CallEndedReply,
    Condition,
    Connection,
    ConnectionReply,
    DataChanged,
    DataChangedReply,
    DataRequest,
    Error,
    Feature,
    Message,
    Role,
    ServiceEvent,
)
from ctiex.services.outcome import Outcome, failed

_log = Logger()

NOT_THIS_SERVICES = frozenset({Status.UNKNOWN_SERIAL, Status.ALREADY_FINISHED, Status.OTHER_EXCHANGE})
"""What an exchange answers when a call isn't, or is no longer, the service's that asks."""
_REPORT_WITHIN = 600.0
_TOLD_WITHIN = 2.0
"""How long a customer who has been served may wait until their agent has the result, in seconds."""
_FINISHED_FOR = 60.0
"""How long a serial whose call has finished is accepted only from the exchange itself, in seconds."""
_FINISH_WITHIN = 5.0
"""How long calls may go on when the service stops, in seconds."""

MakeMedia = Callable[[ServedCall], IMedia]


class AutomaticService(Service):
    """An automatic service: takes calls over one link to the exchange, many at the same time."""

    name = "ctiex-automatic-service"
    features = str(Feature.UPDATES)

    def __init__(
        self,
        reactor: Any,
        account: ExchangeAccount,
        handlers: Mapping[str, Handler],
        make_media: MakeMedia,
        carrier: ISerialCarrier | None = None,
        random: Random | None = None,
        max_calls: int = 1_000,
    ) -> None:
        """A service that isn't started yet.

        :param handlers: by access code; a Connection with another code is refused (30).
        :param make_media: gives the channel to the customer of a call; when it raises, the Connection is refused (51).
        :param carrier: takes the serial out of what a call comes with; by default whichever of ``number**serial``,
            User-to-User and ``X-CTIEX-Serial`` arrives.
        :param random: makes event_ids that no earlier run has used.
        :param max_calls: how many customers may be served at the same time; a Connection beyond is refused (14).
        """
        self.reactor = reactor
        self._handlers = handlers
        self._make_media = make_media
        self._carrier = carrier or WHICHEVER_ARRIVES
        self._random = random or SystemRandom()
        self._calls: dict[str, tuple[ServedCall, Deferred[Any]]] = {}
        self._finished = FinishedSerials(reactor, _FINISHED_FOR)
        self._max_calls = max_calls
        self._life = Lifecycle(self._begin, self._end_all)
        self._connection = ExchangeConnection(reactor, account, Role.SERVICE, self)
        self._dialled = DialledLinks(reactor, account.codec, self.take, self._home)

    # ------------------------------------------------------------ start and stop

    def startService(self) -> None:
        """Connect, and connect again after every loss; if it is being stopped, as soon as it has."""
        super().startService()
        self._life.start()

    def stopService(self) -> Deferred[None]:
        """Take no more calls, let those under way finish for a moment, and say goodbye."""
        super().stopService()
        return self._life.stop()

    def _begin(self) -> None:
        self._connection.start()
        self._dialled.ports.open_again()

    async def _end_all(self) -> None:
        await self._dialled.ports.close()
        await self._calls_finished()
        for _, serving in list(self._calls.values()):
            serving.cancel()
        await self._calls_finished()  # what was cut short is still reported
        self._dialled.cut_all()
        await self._connection.stop()
        await deferLater(self.reactor, 0)  # for the links that were cut

    async def _calls_finished(self) -> None:
        finishing = DeferredList([end_of(serving) for _, serving in self._calls.values()])
        finishing.addTimeout(_FINISH_WITHIN, self.reactor)
        await finishing

    def bound(self) -> Deferred[ClientLink]:
        """Fires once the service is bound.

        Fails with BindRefused when the exchange refuses it, and with TlsRefused when the first TLS handshake fails.
        """
        return self._connection.bound()

    async def listen(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        """Also take Connections from an exchange that dials this address (``signalling = "dial"``)."""
        return await self._dialled.ports.listen(endpoint)

    def _home(self) -> str | None:
        link = self._connection.link
        return None if link is None else link.exchange_address

    @property
    def calls(self) -> int:
        """How many customers are being served."""
        return len(self._calls)

    # ------------------------------------------------------------ what the exchange sends

    async def prepare(self, link: ClientLink) -> None:
        """A bound service needs no login."""

    def error_received(self, error: Error) -> None:
        """The exchange complains of something that asked for no answer."""
        self._connection.log_error(error)

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """A customer comes, or a call has ended."""
        if isinstance(message, Connection):
            link.reply(self._take(message, NO_HEADERS, ()), invoke_id)
        elif isinstance(message, CallEnded):
            link.reply(CallEndedReply(), invoke_id)
            self._end(message)
        elif isinstance(message, DataChanged):
            link.reply(DataChangedReply(), invoke_id)
            self._tell_changed(message)

    def take(self, connection: Connection, headers: Mapping[str, str] = NO_HEADERS) -> ConnectionReply:
        """Accept a customer who came by telephone and begin to serve them, or refuse.

        :param headers: SIP header fields that came with the call; the serial may be in one of them.

        Anybody may call with any serial behind the calling number: one that is being served, or was a
        moment ago, is refused (22).
        """
        return self._take(connection, headers, self._finished)

    def _take(self, connection: Connection, headers: Mapping[str, str], finished: Container[str]) -> ConnectionReply:
        try:
            return self._taken(connection, headers, finished)
        except Exception as error:  # of a carrier or media of anybody's: the link and the other calls go on
            _log.error("a Connection is refused: {fault}", fault=without_text(error))
            return ConnectionReply(Status.INTERNAL, "the service failed")

    def _taken(self, connection: Connection, headers: Mapping[str, str], finished: Container[str]) -> ConnectionReply:
        number, serial = self._carrier.extract(Signalled(connection.calling_number, headers))
        if self._life.takes and serial in self._calls and self._calls[serial][0].comes_again_as(connection, number):
            return ConnectionReply(Status.OK)
        try:
            call = self._admitted(connection, number, serial, finished)
        except CallError as refused:
            return ConnectionReply(refused.status, refused.detail)
        call.media = self._make_media(call)
        self._serve(self._handlers[connection.access_code], call)
        return ConnectionReply(Status.OK)

    def _admitted(
        self, connection: Connection, number: str, serial: str | None, finished: Container[str]
    ) -> ServedCall:
        """:raise CallError: the customer can't be served."""
        if not self._life.takes:
            raise CallError(Status.GOING_AWAY)
        if connection.access_code not in self._handlers:
            raise CallError(Status.UNKNOWN_SERVICE, f"no service under {connection.access_code!r} here")
        if serial is None:
            raise CallError(Status.UNKNOWN_SERIAL, "the call carries no serial")
        if serial in self._calls or serial in finished:
            raise CallError(Status.DUPLICATE_SERIAL, "a call with this serial has arrived already")
        if len(self._calls) >= self._max_calls:
            raise CallError(Status.TOO_BUSY, "the limit on customers served at once is reached")
        return ServedCall(self, connection, number, serial)

    async def serve_arrival(
        self, access_code: str, signalled: Signalled, media: IMedia, told_within: float = _TOLD_WITHIN
    ) -> None:
        """Serve a customer who has come by telephone, until they may be let go.

        That is when they have been served and their agent's exchange has the result, or ``told_within`` seconds after
        they have been served: the report is then repeated behind their back. Nothing of the call is known but what came
        with it, so whether it is anybody's the exchange says, when it is asked for the data.

        :param access_code: which of the handlers serves them.
        :param signalled: what came with the call.
        :raise CallError: they can't be served: 15, 30, 20 (no serial), 22 (of a call that has come already), 14.
        """
        number, serial = self._carrier.extract(signalled)
        call = self._admitted(Connection(access_code, signalled.calling_number, ""), number, serial, self._finished)
        call.media = media
        served: Deferred[None] = Deferred()
        self._serve(telling(self._handlers[access_code], served), call)
        reported = end_of(self._calls[call.serial][1])
        await DeferredList([served, reported], fireOnOneCallback=True)
        await reported.addTimeout(told_within, self.reactor)

    def _tell_changed(self, message: DataChanged) -> None:
        call, _ = self._calls.get(message.serial, (None, None))
        if call is not None:
            tell_changed(call)

    def _end(self, message: CallEnded) -> None:
        call, serving = self._calls.get(message.serial, (None, None))
        if call is not None and serving is not None:
            call.ended = message.condition
            serving.cancel()

    # ------------------------------------------------------------ serving

    def _serve(self, handler: Handler, call: ServedCall) -> None:
        # Begun from the reactor, so that the ConnectionReply goes out before the DataRequest.
        serving: Deferred[Any] = deferLater(self.reactor, 0, lambda: ensureDeferred(self._served(handler, call)))
        self._calls[call.serial] = (call, serving)
        serving.addErrback(lambda failure: failure.trap(CancelledError) and None)
        serving.addErrback(partial(log_failure, call))
        serving.addBoth(lambda _: self._calls.pop(call.serial, None))

    async def _served(self, handler: Handler, call: ServedCall) -> None:
        outcome = await self._outcome(handler, call)
        if outcome is None:
            return
        try:
            await self._reported(call, outcome)
            self._finished.add(call.serial)
        except (CallError, LinkError) as error:
            _log.error("the result of call {serial} could not be reported: {reason}", serial=call.serial,
                       reason=str(error))  # fmt: skip

    async def _reported(self, call: ServedCall, outcome: Outcome) -> None:
        """Report an outcome; one that is too large becomes a failure that says so."""
        try:
            await self.report(call, outcome)
        except (CallError, CodecError) as error:
            if isinstance(error, CallError) and error.status not in TOO_LARGE:
                raise
            _log.error("the result of call {serial} is too large", serial=call.serial)
            await self.report(call, failed("the service's result is too large"))

    async def _outcome(self, handler: Handler, call: ServedCall) -> Outcome | None:
        """What the handler returns; if it fails, the agent gets an event too, and never waits without end.

        None where the exchange has said that it isn't this service's call: it would take no report either.
        """
        try:
            return final_outcome(call, await handler(call))
        except CallerHungUp:
            return Outcome(Condition.ABANDONED)
        except CancelledError:
            if call.ended is not None:
                raise
            return failed("the service is stopping")
        except Exception as error:
            if isinstance(error, CallError) and error.status in NOT_THIS_SERVICES:
                _log.info("call {serial} is not served: {reason}", serial=call.serial, reason=error.status.text)
                return None
            log_fault(call, error)
            return failed("the service failed")

    # ------------------------------------------------------------ asking and reporting

    async def ask(self, message: Message, timeout: float) -> Any:
        """Send a request and wait for its answer, over lost links."""
        return await self._connection.within(timeout, self._connection.ask(message, timeout=timeout))

    async def ask_for_data(self, request: DataRequest, timeout: float) -> Any:
        """Ask for the data of a call, over lost links, and again later where they can't be had now."""
        return await self._connection.within(timeout, until_known(self._connection, request, timeout))

    async def report(self, call: ServedCall, outcome: Outcome, timeout: float = _REPORT_WITHIN) -> None:
        """Send a ServiceEvent until the exchange has committed it, always under the same event_id.

        Under another one only if the exchange says that this one was used for another report (25).

        :param timeout: in seconds, lost links included.
        :raise CallError: the exchange refuses it for good.
        :raise RequestTimedOut: it could not be brought to the exchange in time.
        """
        event = ServiceEvent(self._new_event_id(), call.serial, call.agent, outcome.condition, outcome.fields)
        await self._connection.within(timeout, until_kept(self._connection, event, self._new_event_id))

    def _new_event_id(self) -> int:
        return self._random.getrandbits(64)
