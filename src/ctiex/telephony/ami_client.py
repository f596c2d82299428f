"""A connection to Asterisk's manager interface that is kept up: logged in, asked, and logged in again after a loss."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from itertools import count
from random import random
from typing import Any

from attrs import define, field, frozen
from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.telephony.ami import AmiDecoder, AmiError, AmiMessage, encode_action

_log = Logger()

_MOST_IN_A_LIST = 100_000
_MOST_REASONS = 5
"""How many different reasons are told of one time in which Asterisk is away."""


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


class AmiLink(Protocol):
    """One connection: actions go out, answers and events come in."""

    def __init__(self, client: AmiClient) -> None:
        self._client = client
        self._clock = client.reactor
        self._decoder = AmiDecoder()
        self._ids = count(1)
        self._asked: dict[str, _Asked] = {}
        self._silence: IDelayedCall | None = None
        self._open = False
        self.logged_in = False
        self.left = False
        """Whether it was ended from here, which was told already."""
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
            return fail(Failure(LinkLost("there is no connection to Asterisk")))
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
            refused = Failure(ActionRefused(f"{asked.name}: {message['Message'] or 'refused without a word'}"))
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
            self._cut("Asterisk is silent")

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


class _QuietClientService(ClientService):
    """Twisted's own, less its line for every single attempt: what is wrong is told once (:class:`_Trouble`)."""

    _log = Logger(observer=LogPublisher())


class _Trouble:
    """What keeps Asterisk away: each reason is told once as long as it lasts, since it is tried again and again."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, reason: str) -> None:
        """Say it, if it wasn't said before."""
        if reason not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(reason)
            _log.warn("Asterisk's manager interface: {reason}", reason=reason)

    def is_over(self) -> None:
        """What comes next is new."""
        self._told.clear()


class AmiClient(Service):
    """Asterisk's manager interface, connected as long as the service runs."""

    name = "ctiex-ami"

    def __init__(
        self,
        reactor: Any,
        account: AmiAccount,
        on_event: Callable[[AmiMessage], None],
        on_login: Callable[[], Deferred[Any] | None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing is connected before the service starts.

        :param on_event: hears every event that isn't part of an answer.
        :param on_login: called after every login: what has happened before it wasn't told, and has to be asked for.
            All is well once its Deferred has fired. If that fails, the reason is told, and it is tried anew later.
        :param on_lost: called when a connection that was logged in is lost.
        """
        self.reactor = reactor
        self.account = account
        self._on_event = on_event
        self._on_login = on_login
        self._on_lost = on_lost
        self._link: AmiLink | None = None
        self._trouble = _Trouble()
        self._in_vain = 0
        """How many connections in a row came to nothing, or soon to an end."""
        self._refused = False
        self._well_since: float | None = None
        self._service = self._make_service()

    def _make_service(self) -> ClientService:
        factory = Factory.forProtocol(lambda: AmiLink(self))
        factory.noisy = False
        # Logging in is not left to ClientService's prepareConnection: it has no state for a rejected connection that
        # closes later. So what came to nothing is counted here for the pause between attempts.
        return _QuietClientService(self.account.endpoint, factory, self._pause_after, self.reactor)

    def _pause_after(self, tries: int) -> float:
        """How long to wait until it is tried again, in seconds."""
        longest = self.account.longest_refused if self._refused else self.account.longest_retry
        pause: float = backoffPolicy(0.25, longest, 1.5, self.account.jitter)(tries + self._in_vain)
        return pause

    def startService(self) -> None:
        """Connect, and connect again after every loss."""
        super().startService()
        self._service.startService()
        self._watch_failures()

    def stopService(self) -> Deferred[None]:
        """Let out what was written, and stay away."""
        super().stopService()
        if self._link is not None:
            self._link.say_goodbye()
        stopping: Deferred[None] = self._service.stopService()
        return stopping if stopping is not None else succeed(None)

    def reconnect(self, reason: str) -> None:
        """Begin anew: leave, and come back after a pause."""
        if self._link is not None:
            self._leave(self._link, reason)

    @property
    def connected(self) -> bool:
        """Whether Asterisk has let us in."""
        return self._link is not None

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] | None = None
    ) -> Deferred[AmiAnswer]:
        """Send an action; actions are carried out in their order.

        The Deferred fails with :class:`ActionRefused`, :class:`ctiex.errors.RequestTimedOut`,
        :class:`ctiex.errors.LinkLost`, and with :class:`ctiex.telephony.ami.AmiError` when a value can't go out.

        :param each: takes the events of the list that is asked for as they come, in place of the answer: a large
            platform's list is never held as a whole.
        """
        if self._link is None:
            return fail(Failure(LinkLost("there is no connection to Asterisk")))
        return self._link.act(name, *headers, each=each)

    def opened(self, link: AmiLink) -> None:
        """There is a connection."""
        ensureDeferred(self._log_in(link)).addErrback(self._not_taken_up, link)

    async def _log_in(self, link: AmiLink) -> None:
        try:
            await link.log_in(self.account)
        except (AmiError, LinkLost, RequestTimedOut) as error:
            self._leave(link, f"could not log in: {error}", isinstance(error, ActionRefused))
            return
        self._link = link
        await maybeDeferred(self._on_login)
        if self._link is link:
            self._is_well()

    def _not_taken_up(self, failure: Failure, link: AmiLink) -> None:
        """What was to be asked after the login couldn't be had; a lost connection is told by itself."""
        if self._link is not link:
            return
        refused = failure.check(ActionRefused) is not None
        if failure.check(AmiError, LinkLost, RequestTimedOut) is None:
            _log.failure("what goes on at Asterisk could not be taken up", failure)
        self._leave(link, failure.getErrorMessage(), refused)

    def _leave(self, link: AmiLink, reason: str, refused: bool = False) -> None:
        """Come back after a pause, which grows as long as nothing comes of it."""
        if link.left:
            return
        self._in_vain += 1
        self._refused = refused
        if self.running:
            self._trouble.tell(reason)
        link.say_goodbye()

    def _is_well(self) -> None:
        self._refused = False
        self._trouble.is_over()
        self._well_since = self.reactor.seconds()
        _log.info("logged in to Asterisk as {username}", username=self.account.username)

    def _was_well(self) -> None:
        """A connection that didn't last is one more that came to nothing."""
        since, self._well_since = self._well_since, None
        if since is not None and self.reactor.seconds() - since >= self.account.longest_retry:
            self._in_vain = 0
        elif since is not None:
            self._in_vain += 1

    def _watch_failures(self) -> None:
        """Say what keeps it from connecting, which is tried for as long as it takes."""
        waiting = self._service.whenConnected(failAfterFailures=1)
        waiting.addCallbacks(lambda _: None, self._not_connected)

    def _not_connected(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._trouble.tell(f"can't be reached: {failure.getErrorMessage()}")

    def take_event(self, message: AmiMessage) -> None:
        """An event has come."""
        try:
            self._on_event(message)
        except Exception:  # one event's fault; the next one has its own
            _log.failure("event {event} could not be taken", event=message.event)

    def lost(self, link: AmiLink, reason: str) -> None:
        """A connection is gone."""
        if self._link is not link:
            return
        self._link = None
        self._was_well()
        if self.running:
            if not link.left:
                self._trouble.tell(reason or "the connection was lost")
            self._watch_failures()
        self._on_lost()
