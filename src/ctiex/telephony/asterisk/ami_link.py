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
from twisted.internet.protocol import Protocol
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


@frozen
class AmiAnswer:
    """What Asterisk has said to an action."""

    response: AmiMessage
    events: tuple[AmiMessage, ...] = field(default=(), repr=False)
    """Those of the list that it asked for, without the one that ends it."""


@define(eq=False)
class _Asked:
    """An action that waits for its answer."""

    name: str
    answer: Deferred[AmiAnswer]
    each: Callable[[AmiMessage], None] | None = None
    timer: IDelayedCall | None = None
    response: AmiMessage | None = None
    events: list[AmiMessage] = field(factory=list)
    count: int = 0

    def take(self, event: AmiMessage) -> None:
        """One event of its list."""
        self.count += 1
        if self.each is None:
            self.events.append(event)
        else:
            self.each(event)


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

    def __init__(self, client: AmiOwner) -> None:
        self._client = client
        self._clock = client.reactor
        self._decoder = AmiDecoder()
        self._ids = count(1)
        self._asked: dict[str, _Asked] = {}
        self._silence: IDelayedCall | None = None
        self._open = False
        self.logged_in = False
        self.left = False
        """Whether it was closed by this side, which was reported already."""
        self._reason = ""

    def connectionMade(self) -> None:
        """Asterisk has taken the connection."""
        self._open = True
        self._watch_silence()
        self._client.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Take answers and events."""
        self._watch_silence()
        try:
            messages = self._decoder.receive(data)
        except AmiError as error:
            self._cut(str(error))
            return
        for message in messages:
            self._take(message)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Everything that waits for an answer hears LinkLost."""
        self._open = self.logged_in = False
        if not self._reason and reason is not None and not reason.check(ConnectionDone):
            self._reason = reason.getErrorMessage()
        if self._silence is not None and self._silence.active():
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
        challenge = (await self.act("Challenge", ("AuthType", "MD5"))).response["Challenge"]
        digest = md5((challenge + account.secret).encode(), usedforsecurity=False).hexdigest()
        key = ("Key", digest)
        await self.act("Login", ("AuthType", "MD5"), ("Username", account.username), key, ("Events", account.events))
        self.logged_in = True

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] | None = None
    ) -> Deferred[AmiAnswer]:
        """Send an action.

        The Deferred fails with ActionRefused, RequestTimedOut or LinkLost, and with AmiError when a value can't go out.

        :param each: takes the events of the list that is asked for as they come, in place of the answer.
        """
        action_id = f"ctiex-{next(self._ids)}"
        try:
            action = encode_action(name, headers, action_id)
        except AmiError:
            return fail(Failure())
        if not self._open:
            return fail(Failure(LinkLost("not connected to Asterisk")))
        asked = _Asked(name, Deferred(), each)
        self._asked[action_id] = asked
        asked.timer = self._clock.callLater(self._client.account.answer_timeout, self._time_out, action_id)
        assert self.transport is not None
        self.transport.write(action)
        return asked.answer

    def _time_out(self, action_id: str) -> None:
        asked = self._asked.pop(action_id)
        asked.timer = None
        self._settle(asked, Failure(RequestTimedOut(f"Asterisk didn't answer {asked.name} in time")))

    def _settle(self, asked: _Asked, outcome: AmiAnswer | Failure) -> None:
        if asked.timer is not None and asked.timer.active():
            asked.timer.cancel()
        if not asked.answer.called:
            asked.answer.callback(outcome)

    # ------------------------------------------------------------ what comes

    def _take(self, message: AmiMessage) -> None:
        asked = self._asked.get(message.action_id)
        if asked is not None:
            self._take_answer(asked, message)
        elif message.event and self.logged_in:
            self._client.take_event(message)

    def _take_answer(self, asked: _Asked, message: AmiMessage) -> None:
        outcome: AmiAnswer | Failure | None = None
        if asked.response is None and message.good and message.begins_a_list:
            asked.response = message
        elif asked.response is None and not message.event:
            refused = Failure(ActionRefused(f"{asked.name}: {message['Message'] or 'refused without a reason'}"))
            outcome = AmiAnswer(message) if message.good else refused
        elif asked.response is not None and message.ends_a_list:
            outcome = AmiAnswer(asked.response, tuple(asked.events))
        elif asked.count < _MOST_IN_A_LIST:
            asked.take(message)
        else:
            outcome = Failure(AmiError(f"{asked.name}: a list of more than {_MOST_IN_A_LIST} events"))
        if outcome is not None:
            del self._asked[message.action_id]
            self._settle(asked, outcome)
        elif asked.timer is not None:  # a large platform takes its time to list everything
            asked.timer.reset(self._client.account.answer_timeout)

    # ------------------------------------------------------------ whether it is still there

    def _watch_silence(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.reset(self._client.account.ping_every)
        elif self._open:
            self._silence = self._clock.callLater(self._client.account.ping_every, self._ping)

    def _ping(self) -> None:
        self.act("Ping").addErrback(self._silent)
        self._watch_silence()

    def _silent(self, failure: Failure) -> None:
        if failure.check(RequestTimedOut):
            self._cut("timed out: Asterisk doesn't answer")

    def _cut(self, reason: str) -> None:
        self._reason = reason
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def say_goodbye(self) -> None:
        """End the connection once everything that was written is out."""
        self.left = True
        if self.transport is not None:
            self.transport.loseConnection()
