"""One connection to Asterisk's manager interface: actions go out, answers and events come in."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from itertools import count
from random import random
from typing import Any
from typing import Protocol as Interface

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.telephony.asterisk.ami import AmiDecoder, AmiError, AmiMessage, encode_action

_MOST_IN_A_LIST = 100_000


class ActionRefused(AmiError):
    """Asterisk has answered an action with an error; the words are its own."""


@frozen
class AmiAccount:
    """Which Asterisk to reach, and as whom."""

    endpoint: IStreamClientEndpoint
    """From ``clientFromString(reactor, "tcp:127.0.0.1:5038")``, or ``"tls:pbx.example.net:5039"``."""
    username: str
    secret: str = field(repr=False)
    """Never sent: Asterisk gets a digest of it and of a challenge."""
    events: str = "call,user"
    """The classes of events to be told."""
    answer_timeout: float = 5.0
    """How long Asterisk may take to answer an action, or to go on with a list, in seconds."""
    ping_every: float = 15.0
    """How long it may be silent until it is asked whether it is still there, in seconds."""
    longest_retry: float = 10.0
    """The longest pause between two attempts to connect, in seconds."""
    longest_refused: float = 60.0
    """The same where Asterisk refuses what is asked of it: somebody has to change that there first."""
    jitter: Callable[[], float] = random
    """What is added to each pause, in seconds."""


@define(eq=False)
class _Asked:
    """An action that waits for its answer."""

    name: str
    answer: Deferred[AmiMessage]
    each: Callable[[AmiMessage], None]
    timer: IDelayedCall
    response: AmiMessage | None = None
    """What has begun the list that it asked for."""
    count: int = 0
    """How many events of the list have come."""


class AmiOwner(Interface):
    """The owner of connections, which hears of them."""

    reactor: Any
    account: AmiAccount

    def opened(self, link: AmiLink) -> None:
        """There is a connection."""

    def take_event(self, message: AmiMessage) -> None:
        """An event has come."""

    def lost(self, link: AmiLink, reason: str) -> None:
        """A connection is gone."""


class AmiLink(Protocol):
    """One connection: actions go out, answers and events come in."""

    transport: Any
    _silence: IDelayedCall
    """Asks whether Asterisk is still there."""

    def __init__(self, client: AmiOwner) -> None:
        self._client = client
        self._clock = client.reactor
        self._decoder = AmiDecoder()
        self._ids = count(1)
        self._asked: dict[str, _Asked] = {}
        self.logged_in = False
        self.left = False
        """Whether it was closed by this side, which was reported already."""
        self._reason = ""

    def connectionMade(self) -> None:
        """Asterisk has taken the connection."""
        self._watch_silence()
        self._client.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Take answers and events."""
        self._silence.reset(self._client.account.ping_every)
        try:
            messages = self._decoder.receive(data)
        except AmiError as error:
            self._cut(str(error))
            return
        for message in messages:
            self._take(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Everything that waits for an answer hears LinkLost."""
        self.connected = self.logged_in = False
        if not self._reason and not reason.check(ConnectionDone):
            self._reason = reason.getErrorMessage()
        self._silence.cancel()
        asked, self._asked = self._asked, {}
        for one in asked.values():
            self._settle(one, Failure(LinkLost(self._reason or "the connection to Asterisk was lost")))
        self._client.lost(self, self._reason)

    # ------------------------------------------------------------ actions

    async def log_in(self, account: AmiAccount) -> None:
        """Say who we are, by a digest over a challenge.

        :raise ActionRefused: Asterisk doesn't know the user, or the secret is another.
        """
        challenge = (await self.act("Challenge", ("AuthType", "MD5")))["Challenge"]
        digest = md5((challenge + account.secret).encode(), usedforsecurity=False).hexdigest()
        await self.act(
            "Login",
            ("AuthType", "MD5"),
            ("Username", account.username),
            ("Key", digest),
            ("Events", account.events),
        )
        self.logged_in = True

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] = lambda event: None
    ) -> Deferred[AmiMessage]:
        """Send an action. The Deferred fires with its response, once the list that is asked for has come.

        It fails with ActionRefused, RequestTimedOut or LinkLost, and with AmiError when a value can't go out.

        :param each: takes the events of the list as they come.
        """
        action_id = f"ctiex-{next(self._ids)}"
        try:
            action = encode_action(name, (*headers, ("ActionID", action_id)))
        except AmiError:
            return fail(Failure())
        if not self.connected:
            return fail(Failure(LinkLost("not connected to Asterisk")))
        timer = self._clock.callLater(self._client.account.answer_timeout, self._time_out, action_id)
        asked = self._asked[action_id] = _Asked(name, Deferred(), each, timer)
        self.transport.write(action)
        return asked.answer

    def _time_out(self, action_id: str) -> None:
        asked = self._asked.pop(action_id)
        self._settle(asked, Failure(RequestTimedOut(f"Asterisk didn't answer {asked.name} in time")))

    def _settle(self, asked: _Asked, outcome: AmiMessage | Failure) -> None:
        if asked.timer.active():
            asked.timer.cancel()
        asked.answer.callback(outcome)

    # ------------------------------------------------------------ what comes

    def _take(self, message: AmiMessage) -> None:
        asked = self._asked.get(message.action_id)
        if asked is not None:
            self._take_answer(asked, message)
        elif message.event and self.logged_in:
            self._client.take_event(message)

    def _take_answer(self, asked: _Asked, message: AmiMessage) -> None:
        outcome: AmiMessage | Failure | None = None
        if asked.response is None and message.good and message.begins_a_list:
            asked.response = message
        elif asked.response is None and not message.event:
            outcome = (
                message
                if message.good
                else Failure(ActionRefused(f"{asked.name}: {message['Message'] or 'refused without a reason'}"))
            )
        elif asked.response is not None and message.ends_a_list:
            outcome = asked.response
        elif asked.count < _MOST_IN_A_LIST:
            asked.count += 1
            asked.each(message)
        else:
            outcome = Failure(AmiError(f"{asked.name}: a list of more than {_MOST_IN_A_LIST} events"))
        if outcome is not None:
            del self._asked[message.action_id]
            self._settle(asked, outcome)
        else:  # a large platform takes its time to list everything
            asked.timer.reset(self._client.account.answer_timeout)

    # ------------------------------------------------------------ whether it is still there

    def _watch_silence(self) -> None:
        self._silence = self._clock.callLater(self._client.account.ping_every, self._ping)

    def _ping(self) -> None:
        self._watch_silence()
        self.act("Ping").addErrback(self._silent)

    def _silent(self, failure: Failure) -> None:
        if failure.check(RequestTimedOut):
            self._cut("timed out: Asterisk doesn't answer")

    def _cut(self, reason: str) -> None:
        self._reason = reason
        self.transport.abortConnection()

    def say_goodbye(self) -> None:
        """End the connection once everything that was written is out."""
        self.left = True
        self.transport.loseConnection()
