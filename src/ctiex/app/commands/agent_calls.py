"""The commands of ``ctiex agent`` for calls and states, and what is told of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from attrs import frozen

from ctiex.app.commands.agent_words import (
    describe_actions,
    describe_call,
    describe_change,
    describe_state,
    in_words,
    read_fields,
)
from ctiex.app.commands.short_numbers import ShortNumbers
from ctiex.call_messages import Action, AgentStateCode, AgentStateEvent, CallChange, CallEvent
from ctiex.clients import AgentClient, AgentNumber, ClientCall, MonitoredNumber
from ctiex.errors import CallError, Status
from ctiex.fields import Fields

Say = Callable[[str], None]
Do = Callable[[ClientCall, list[str], Fields], Awaitable[object]]

_CHANGES = {in_words(change).replace(" ", "-"): change for change in CallChange}
_RECORDING = {
    "start": ClientCall.record, "pause": ClientCall.pause, "resume": ClientCall.resume, "stop": ClientCall.stop,
}  # fmt: skip
_WAIT = 30.0
"""How long ``wait`` waits, in seconds."""


@frozen
class CallCommand:
    """A command for one call, which may be left out where only one can be meant."""

    usage: str
    """What stands behind its name."""
    action: Action | None
    do: Do
    words: tuple[int, int] = (0, 0)
    """How many it takes beside the call, at least and at most."""
    fields: bool = False
    """Whether fields may follow."""


async def _transfer(call: ClientCall, words: list[str], fields: Fields) -> None:
    await call.transfer(words[0] if words else None, fields)


async def _drop(call: ClientCall, words: list[str], fields: Fields) -> None:
    found = [party for party in call.parties if words[0] in (party.number, party.agent, party.id)]
    if not found:
        who = ", ".join(party.agent or party.number or party.id for party in call.parties)
        raise ValueError(f"no party {words[0]!r}, expected one of: {who}")
    await call.drop(found[0])


async def _record(call: ClientCall, words: list[str], fields: Fields) -> None:
    how = _RECORDING.get(words[0] if words else "start")
    if how is None:
        raise ValueError(f"no such thing as {words[0]!r}, expected one of: {', '.join(_RECORDING)}")
    await how(call)


async def _wait(call: ClientCall, words: list[str], fields: Fields) -> None:
    change = _CHANGES.get(words[0])
    if change is None:
        raise ValueError(f"no change {words[0]!r}, expected one of: {', '.join(_CHANGES)}")
    await call.until(change, timeout=_WAIT)


def _plain(method: Callable[[ClientCall], Awaitable[object]]) -> Do:
    return lambda call, words, fields: method(call)


def _worded(method: Callable[[ClientCall, str], Awaitable[object]]) -> Do:
    return lambda call, words, fields: method(call, words[0])


CALL_COMMANDS: Mapping[str, CallCommand] = {
    "answer": CallCommand("[CALL]", Action.ANSWER, _plain(ClientCall.answer)),
    "reject": CallCommand("[CALL]", Action.REJECT, _plain(ClientCall.reject)),
    "deflect": CallCommand("[CALL] DESTINATION", Action.DEFLECT, _worded(ClientCall.deflect), (1, 1)),
    "hold": CallCommand("[CALL]", Action.HOLD, _plain(ClientCall.hold)),
    "retrieve": CallCommand("[CALL]", Action.RETRIEVE, _plain(ClientCall.retrieve)),
    "consult": CallCommand(
        "[CALL] DESTINATION [NAME=TEXT ...]",
        Action.CONSULT,
        lambda call, words, fields: call.consult(words[0], fields),
        (1, 1),
        fields=True,
    ),
    "alternate": CallCommand("[CALL]", Action.ALTERNATE, _plain(ClientCall.alternate)),
    "reconnect": CallCommand("[CALL]", Action.RECONNECT, _plain(ClientCall.reconnect)),
    "transfer": CallCommand(
        "[CALL] [DESTINATION] [NAME=TEXT ...]", Action.TRANSFER, _transfer, (0, 1), fields=True
    ),
    "conference": CallCommand("[CALL]", Action.CONFERENCE, _plain(ClientCall.conference)),
    "add": CallCommand("[CALL] DESTINATION", Action.ADD_PARTY, _worded(ClientCall.add), (1, 1)),
    "drop": CallCommand("[CALL] PARTY", Action.DROP_PARTY, _drop, (1, 1)),
    "leave": CallCommand("[CALL]", Action.LEAVE, _plain(ClientCall.leave)),
    "clear": CallCommand("[CALL]", Action.CLEAR, _plain(ClientCall.clear)),
    "digits": CallCommand("[CALL] DIGITS", Action.DIGITS, _worded(ClientCall.digits), (1, 1)),
    "record": CallCommand("[CALL] [start | pause | resume | stop]", None, _record, (0, 1)),
    "mark": CallCommand("[CALL] WORD", Action.MARK, _worded(ClientCall.mark), (1, 1)),
    "wait": CallCommand("[CALL] CHANGE", None, _wait, (1, 1)),
}  # fmt: skip
"""The commands for one call, as they come; those for supervisors and for data are below."""

_SUPERVISION = {
    "listen": (Action.LISTEN, ClientCall.listen),
    "whisper": (Action.WHISPER, ClientCall.whisper),
    "barge": (Action.BARGE, ClientCall.barge),
    "intercept": (Action.INTERCEPT, ClientCall.intercept),
    "unsupervise": (Action.STOP_SUPERVISION, ClientCall.stop_supervision),
}

_STATES = {
    "ready": AgentStateCode.READY,
    "notready": AgentStateCode.NOT_READY,
    "acw": AgentStateCode.AFTER_CALL_WORK,
    "logout": AgentStateCode.LOGGED_OUT,
}

USAGE: Mapping[str, str] = {
    "calls": "",
    "make": "DESTINATION [NAME=TEXT ...]",
    **{name: command.usage for name, command in CALL_COMMANDS.items()},
    "data": "[CALL] [NAME=TEXT ...] [-NAME ...]",
    "login": "[device=off-hook] [QUEUE ...]",
    "ready": "",
    "notready": "[REASON]",
    "acw": "[CODE]",
    "logout": "",
    "monitor": "AGENT",
    "unmonitor": "AGENT",
    **dict.fromkeys(_SUPERVISION, "[CALL]"),
}
"""Of every command, what stands behind its name."""


class TerminalCalls:
    """Tells of calls and states as they change, and does what is typed."""

    def __init__(self, client: AgentClient, number: str, say: Say, secret: Collection[str] = ()) -> None:
        """Nothing is shown yet.

        :param number: the agent number of who reads and types.
        :param secret: names of fields whose values aren't shown.
        """
        self._client = client
        self._number = number
        self._say = say
        self._secret = secret
        self.numbers = ShortNumbers()
        self._monitored: dict[str, MonitoredNumber] = {}
        """Numbers of other agents that are followed."""

    # ------------------------------------------------------------ what is told

    def call_event(self, call: ClientCall, event: CallEvent) -> None:
        """Something has happened to a call."""
        self._say(describe_change(self.numbers.of(call), call, event, self._number, self._secret))
        if call.over:
            self.numbers.forget(call)

    def state(self, state: AgentStateEvent) -> None:
        """An agent has come into a state."""
        self._say(describe_state(state))

    # ------------------------------------------------------------ what is typed

    async def obey(self, agent: AgentNumber, command: str, words: list[str]) -> None:
        """Do what a command says.

        :raise ValueError: it isn't one, or isn't complete; the text says what was expected.
        :raise CtiexError: it isn't done.
        """
        if command in CALL_COMMANDS:
            await self._with_call(command, words)
        elif command in _SUPERVISION:
            await self._supervise(agent, command, words)
        elif command in _STATES:
            await agent.set_state(_STATES[command], " ".join(words))
        else:
            await self._others[command](agent, words)

    @property
    def _others(self) -> Mapping[str, Callable[[AgentNumber, list[str]], Awaitable[None]]]:
        return {
            "calls": self._list, "make": self._make, "data": self._data, "login": self._login,
            "monitor": self._monitor, "unmonitor": self._unmonitor,
        }  # fmt: skip

    async def _with_call(self, name: str, words: list[str]) -> None:
        command = CALL_COMMANDS[name]
        plain, fields = _apart(words) if command.fields else (words, [])
        call, rest = self._taken(name, plain, *command.words, self._action(command, plain))
        await self._allowed(call, command.do(call, rest, read_fields(fields)))

    def _action(self, command: CallCommand, words: Sequence[str]) -> Action | None:
        """What is meant: a transfer with a destination is blind."""
        if command.action is Action.TRANSFER and words and self.numbers.get(words[-1]) is None:
            return Action.BLIND_TRANSFER
        return command.action

    def _taken(
        self, name: str, words: list[str], least: int, most: int, action: Action | None
    ) -> tuple[ClientCall, list[str]]:
        try:
            return self.numbers.taken(words, least, most, action)
        except ValueError as error:
            raise ValueError(f"{error} ({name} {USAGE[name]})") from None

    async def _allowed(self, call: ClientCall, work: Awaitable[object]) -> None:
        """Do something with a call; what it allows instead is said where it doesn't allow that."""
        try:
            await work
        except CallError as error:
            if error.status is not Status.WRONG_STATE:
                raise
            allowed = f"call {self.numbers.of(call)} allows now: {describe_actions(call)}"
            raise CallError(error.status, f"{error.detail}; {allowed}" if error.detail else allowed) from None

    async def _supervise(self, agent: AgentNumber, name: str, words: list[str]) -> None:
        action, method = _SUPERVISION[name]
        call, _ = self._taken(name, words, 0, 0, action)
        await self._allowed(call, method(call, agent.number))

    async def _list(self, agent: AgentNumber, words: list[str]) -> None:
        for followed in (agent.monitored, *self._monitored.values()):
            if followed.state is not None:
                self.state(followed.state)
        for number, call in self.numbers:
            self._say(f"call {number}: {describe_call(call, self._number, self._secret)}")
            self._say(f"  allows: {describe_actions(call)}; serial {call.serial}")
        if not agent.monitored.up_to_date:
            self._say("the exchange tells of no calls now: it controls none, or the link is lost")

    async def _make(self, agent: AgentNumber, words: list[str]) -> None:
        plain, fields = _apart(words)
        if len(plain) != 1:
            raise ValueError(f"expected make {USAGE['make']}")
        call = await agent.make_call(plain[0], read_fields(fields))
        self._say(f"call {self.numbers.of(call)} is being made")

    async def _data(self, agent: AgentNumber, words: list[str]) -> None:
        plain, fields = _apart(words)
        drop = [word[1:] for word in plain if word.startswith("-")]
        call, _ = self._taken("data", [word for word in plain if not word.startswith("-")], 0, 0, None)
        if fields or drop:
            await call.update(read_fields(fields), drop)
        self._say(f"call {self.numbers.of(call)} has data {call.version}: {call.data.describe(self._secret)}")

    async def _login(self, agent: AgentNumber, words: list[str]) -> None:
        devices = [word.partition("=")[2] for word in words if word.startswith("device=")]
        queues = [word for word in words if not word.startswith("device=")]
        await agent.set_state(AgentStateCode.NOT_READY, device="".join(devices[:1]), queues=queues)

    async def _monitor(self, agent: AgentNumber, words: list[str]) -> None:
        [number] = self._one(words, "monitor")
        if number in (agent.number, *self._monitored):
            raise ValueError(f"agent {number} is followed already")
        self._monitored[number] = await self._client.monitor(number, self.call_event, self.state)

    async def _unmonitor(self, agent: AgentNumber, words: list[str]) -> None:
        [number] = self._one(words, "unmonitor")
        if number not in self._monitored:
            raise ValueError(
                f"agent {number} isn't followed, expected one of: {', '.join(self._monitored) or 'nobody'}"
            )
        monitored = self._monitored.pop(number)
        for call in monitored.calls:
            self.numbers.forget(call)
        await monitored.stop()

    @staticmethod
    def _one(words: list[str], name: str) -> list[str]:
        if len(words) != 1:
            raise ValueError(f"expected {name} {USAGE[name]}")
        return words


def _apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words, and fields."""
    return [word for word in words if "=" not in word], [word for word in words if "=" in word]
