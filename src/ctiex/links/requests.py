"""The requests of one side of a link: invoke ids, answers, time-outs, and how many are in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf

from attrs import define, field
from twisted.logger import Logger

from ctiex.errors import LinkError, LinkLost, RequestTimedOut, Status
from ctiex.limits import SessionLimits
from ctiex.messages import KIND_OF, REPLY_OF, ConnectionReply, Error, Message, Unbind

Answered = Callable[[Message | LinkError], None]
"""Hears the reply to a request, the Error that answers it, or why none will come."""

_log = Logger()

_LAST_INVOKE_ID = 0xFFFFFFFF


def connection_status(answer: Message | LinkError) -> int | None:
    """How a Connection was answered: 0 accepted, another status refused, None not at all."""
    if isinstance(answer, Error):
        return answer.status or Status.INTERNAL
    return answer.status if isinstance(answer, ConnectionReply) else None


@define
class _Waiting:
    request: type[Message]
    """Its reply answers it, or an Error about its kind."""
    answered: Answered
    deadline: float


@define(eq=False)
class Requests:
    """Pairs what was asked with what answers it. Those of a client beyond the limit wait to go out, in order."""

    _limits: SessionLimits
    at_once: bool = False
    """Whether all go out as they come: the exchange's do, since ``max_in_flight`` bounds those of a client alone."""
    max_in_flight: int = field(init=False)
    """How many of a client's the exchange takes at once."""
    _last_invoke_id: int = field(default=0, init=False)
    _waiting: dict[int, _Waiting] = field(factory=dict, init=False)
    _unsent: dict[int, bytes] = field(factory=dict, init=False)
    _misfit: bool = field(default=False, init=False)
    """Whether a reply of another kind than was due has come."""
    first_deadline: float = field(default=inf, init=False)
    """The earliest deadline of them all, in clock seconds; maybe that of one that is answered already."""

    @max_in_flight.default
    def _as_this_side_limits_it(self) -> int:
        return self._limits.max_in_flight

    def new_invoke_id(self) -> int:
        """The next invoke id; never 0."""
        self._last_invoke_id = self._last_invoke_id % _LAST_INVOKE_ID + 1
        return self._last_invoke_id

    @property
    def full(self) -> bool:
        """Whether as many requests wait as may; check this before adding one."""
        return len(self._waiting if self.at_once else self._unsent) >= self._limits.max_queued

    def add(self, invoke_id: int, request: type[Message], frame: bytes, answered: Answered, deadline: float) -> None:
        """A request of this kind is to go out; ``sendable`` gives its frame when it may."""
        self._unsent[invoke_id] = frame
        self._waiting[invoke_id] = _Waiting(request, answered, deadline)
        self.first_deadline = min(self.first_deadline, deadline)

    def sendable(self) -> Iterator[bytes]:
        """The frames that may go out now, each given once."""
        most = inf if self.at_once else min(self.max_in_flight, self._limits.max_in_flight)
        while self._unsent and len(self._waiting) - len(self._unsent) < most:
            yield self._unsent.pop(next(iter(self._unsent)))

    def last(self, invoke_id: int, answered: Answered, deadline: float) -> None:
        """The last request, which the caller writes at once; those that wait to go out never will."""
        unsent, self._unsent = self._unsent, {}
        self._tell([self._waiting.pop(one).answered for one in unsent], LinkLost("this side is unbinding"))
        self._waiting[invoke_id] = _Waiting(Unbind, answered, deadline)
        self.first_deadline = min(self.first_deadline, deadline)

    def answer(self, invoke_id: int, message: Message) -> bool:
        """Pass an answer to the request that waits for it; False if there is none, or it answers something else."""
        waiting = self._waiting.get(invoke_id)
        if waiting is None or invoke_id in self._unsent:  # what is unsent can't have an answer
            return False
        if not _answers(message, waiting.request):
            self._tell_misfit(message, waiting.request)
            return False
        del self._waiting[invoke_id]
        waiting.answered(message)
        return True

    def broken(self, invoke_id: int, reply: type[Message], status: Status, detail: str) -> None:
        """A reply of this kind has come that can't be read: a request that waits for it is refused by that."""
        waiting = self._waiting.get(invoke_id)
        if waiting is not None and REPLY_OF[waiting.request] is reply:
            self.answer(invoke_id, Error(status, KIND_OF[waiting.request], detail))

    def _tell_misfit(self, found: Message, request: type[Message]) -> None:
        if not self._misfit:
            _log.warn("ignored {found} where {wanted} was expected; further ones are ignored silently",
                      found=type(found).__name__, wanted=REPLY_OF[request].__name__)  # fmt: skip
        self._misfit = True

    def time_out(self, now: float) -> None:
        """Tell those whose deadline has come that no answer came in time."""
        if now < self.first_deadline:
            return
        late = [invoke_id for invoke_id, one in self._waiting.items() if one.deadline <= now]
        for invoke_id in late:
            self._unsent.pop(invoke_id, None)
        answered = [self._waiting.pop(invoke_id).answered for invoke_id in late]
        self.first_deadline = min((one.deadline for one in self._waiting.values()), default=inf)
        self._tell(answered, RequestTimedOut("no answer in time"))

    def lost(self, reason: str) -> None:
        """Tell everybody that the link is gone."""
        waiting, self._waiting = self._waiting, {}
        self._unsent.clear()
        self._tell([one.answered for one in waiting.values()], LinkLost(reason))

    def _tell(self, answered: Iterable[Answered], error: LinkError) -> None:
        for tell in answered:
            try:
                tell(error)
            except Exception:  # the others must hear it all the same
                _log.failure("a callback for a lost answer failed")


def _answers(message: Message, request: type[Message]) -> bool:
    """Whether it ends a request of this kind. An Error about anything else is about a frame of the other direction."""
    if isinstance(message, Error):
        return message.about == KIND_OF[request]
    return isinstance(message, REPLY_OF[request])
