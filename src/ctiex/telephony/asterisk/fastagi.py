"""A FastAGI server: Asterisk connects for each call that its dialplan gives to ``AGI(agi://host:4573/name)``.

The protocol has no login, so a connection is accepted from known addresses only. Anyone who can connect can claim that
anybody calls, with any serial; what they get for it is what a customer would hear.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, TimeoutError, ensureDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import CallerHungUp
from ctiex.telephony.asterisk.agi import AgiAnswer, AgiCall, AgiError, AgiHangup, AgiReader, AgiValue, write_command
from ctiex.telephony.asterisk.allowed_hosts import Sources

_log = Logger()

MOST_CHANNELS = 1_000
"""How many calls may be connected at the same time."""
CALL_WITHIN = 10.0
"""How long a connection may take to say which call it is for, in seconds."""
ANSWER_WITHIN = 10.0
"""How long Asterisk may take for a command that plays and waits for nothing, in seconds."""
_OK, _CHANNEL_GONE = 200, 511

Handler = Callable[["AgiChannel"], Awaitable[None]]
"""Serves a call. When it ends the connection is closed, and the dialplan goes on."""


class AgiChannel(Protocol):
    """The channel of one call, as its dialplan gave it to us. One command is under way at a time, others wait."""

    transport: Any
    call: AgiCall
    """What Asterisk said of the call; there before the handler is called."""

    def __init__(self, server: FastAgiServer) -> None:
        self._server = server
        self._reader = AgiReader()
        self._deadline: IDelayedCall | None = None
        self._turn = DeferredLock()
        self._asked: Deferred[AgiAnswer] | None = None
        self._reads = 0
        """How often something has come."""
        self._asked_within = 0
        """The read whose values led to the command that is under way; 0 for none."""
        self._reading = False
        self._gone: CallerHungUp | AgiError | None = None

    # ------------------------------------------------------------ for the handler

    @property
    def idle(self) -> bool:
        """Whether the next command would go out at once."""
        return self._gone is None and not self._turn.locked

    async def command(self, words: str, *arguments: str, timeout: float = ANSWER_WITHIN) -> AgiAnswer:
        """Give Asterisk a command and wait for its answer.

        :param timeout: in seconds; a connection that doesn't answer in time is cut.
        :raise CallerHungUp: the customer has left, before it or meanwhile.
        :raise AgiError: it can't be said, Asterisk doesn't take it, doesn't answer in time, or has gone itself.
        """
        line = write_command(words, *arguments)
        await self._turn.acquire()
        if self._gone is not None:
            self._turn.release()
            raise self._gone
        answer = await self._within(timeout, words, self._ask(line))
        if answer.code == _OK:
            return answer
        if answer.code == _CHANNEL_GONE:
            self._leave(CallerHungUp("the channel was hung up"))
            raise CallerHungUp("the channel was hung up")
        raise AgiError(f"Asterisk answers {answer.code} to {words}")

    def _ask(self, line: bytes) -> Deferred[AgiAnswer]:
        # The turn ends with the answer, not with the wait for it: a handler may be cancelled in between.
        answer = self._asked = Deferred[AgiAnswer]()
        self._asked_within = self._reads if self._reading else 0
        self.transport.write(line)
        return answer

    async def _within(self, timeout: float, words: str, answer: Deferred[AgiAnswer]) -> AgiAnswer:
        answer.addTimeout(timeout, self._server.clock)
        try:
            return await answer
        except TimeoutError:
            self.cut(f"no answer to {words} within {timeout:g} s")
            raise AgiError(f"no answer to {words} within {timeout:g} s") from None

    # ------------------------------------------------------------ what the transport tells

    def connectionMade(self) -> None:
        """Say which call it is for, soon."""
        self._server.channels[self] = None
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        self._deadline = self._server.clock.callLater(CALL_WITHIN, self.cut, "timed out waiting for a call")

    def dataReceived(self, data: bytes) -> None:
        """Something came."""
        self._reads += 1
        self._reading = True
        try:
            for value in self._reader.receive(data):
                self._take(value)
        except AgiError as error:
            host = _host_of(self.transport.getPeer())
            _log.error("an AGI connection from {host} is closed: {reason}", host=host, reason=str(error))
            self.cut("the peer doesn't speak AGI")
        finally:
            self._reading = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The call has ended, or Asterisk has."""
        self._server.channels.pop(self, None)
        self._in_time()
        # Asterisk says HANGUP when a customer leaves. Without it that isn't known: they may be back with their agent.
        self._leave(AgiError("the connection to Asterisk was lost"))

    def _take(self, value: AgiValue) -> None:
        if isinstance(value, AgiCall):
            self._in_time()
            self.call = value
            ensureDeferred(self._serve())
        elif isinstance(value, AgiHangup):
            self._leave(CallerHungUp("the channel was hung up"))
        elif self._gone is not None:
            return  # the answer that a customer who left didn't wait for
        elif self._asked is None:
            raise AgiError("found an answer, expected none: nothing was asked")
        elif self._asked_within == self._reads:
            # It was on its way before the command was: a line of some customer's name that looks like an answer.
            raise AgiError("found an answer, expected none: what is asked can't be answered yet")
        else:
            answer, self._asked = self._asked, None
            self._turn.release()  # first, so that the waiter for the answer finds the channel idle
            answer.callback(value)

    async def _serve(self) -> None:
        try:
            await self._server.handler(self)
        except CallerHungUp:
            pass
        except Exception as error:  # of anybody's handler; its text may hold a customer's data
            _log.error("serving an AGI call failed: {kind}", kind=type(error).__qualname__)
        finally:
            self.transport.loseConnection()

    # ------------------------------------------------------------ the end

    def _leave(self, error: CallerHungUp | AgiError) -> None:
        """The customer is gone: pending waits fail."""
        if self._gone is not None:
            return
        self._gone = error
        if self._asked is not None:
            asked, self._asked = self._asked, None
            asked.errback(Failure(error))
            self._turn.release()

    def cut(self, reason: str) -> None:
        """End the connection; the dialplan goes on."""
        self._leave(AgiError(reason))  # the customer didn't leave, and that isn't reported
        self.transport.abortConnection()

    def _in_time(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


class FastAgiServer(Factory):
    """Takes the connections of known Asterisks, and has each call served by a handler."""

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        handler: Handler,
        sources: Sources | None = None,
        most: int = MOST_CHANNELS,
        worth_a_line: Callable[[str, float], bool] = lambda kind, now: True,
    ) -> None:
        """
        :param sources: who may connect; this machine alone by default.
        :param most: how many connections may be open at the same time.
        :param worth_a_line: whether a refusal of this kind is logged at this moment of the clock: strangers may
            come in any number.
        """
        self.clock = clock
        self.handler = handler
        # A dictionary, since a set would be walked in another order in every run.
        self.channels: dict[AgiChannel, None] = {}
        self._sources = Sources.of() if sources is None else sources
        self._most = most
        self._worth_a_line = worth_a_line

    def buildProtocol(self, addr: IAddress | None) -> AgiChannel | None:
        """The channel of a new call; None, which closes the connection, for a stranger and for one too many."""
        if not self._sources.let_in(addr):
            self._refused(addr, "this host isn't allowed")
            return None
        if len(self.channels) >= self._most:
            self._refused(addr, f"{self._most} are open")
            return None
        return AgiChannel(self)

    def _refused(self, addr: IAddress | None, why: str) -> None:
        if self._worth_a_line(why, self.clock.seconds()):
            _log.warn("an AGI connection from {host} is refused: {why}", host=_host_of(addr), why=why)

    def cut_all(self) -> None:
        """End the connections that are left."""
        for channel in list(self.channels):
            channel.cut("the service is stopping")


def _host_of(address: IAddress | None) -> str:
    return str(getattr(address, "host", "an unknown address"))
