"""An Asterisk with one AGI call: it does what 16 and 22 were seen to do, with a customer who types by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ctiex.telephony.asterisk.sounds import DEFAULT_SOUNDS

ALL_SOUNDS = frozenset(sound for sounds in DEFAULT_SOUNDS.values() for sound in sounds) | {
    "digits/minus",
    "letters/dot",
}
"""What asterisk-core-sounds-en has of the sounds that are played by default."""


def arguments_of(line: str) -> list[str]:
    """The words of a command, as Asterisk takes a line apart: quotes keep spaces, a backslash keeps what follows it."""
    words: list[str] = []
    open_word = quoted = escaped = False
    for character in line:
        if escaped or (character not in '"\\' and (quoted or character not in " \t")):
            if not open_word:
                words.append("")
                open_word = True
            words[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
            if quoted and not open_word:
                words.append("")
                open_word = True
        else:
            open_word = False
    return words


class AsteriskByHand(Protocol):
    """The other end of an :class:`ctiex.telephony.asterisk.fastagi.AgiChannel`."""

    def __init__(
        self,
        path: str = "password",
        caller: str = "13800138000**007",
        typed: str = "",
        barging: Iterable[str] = (),
        sounds: Iterable[str] = ALL_SOUNDS,
        leaves_at: int | None = None,
        variables: dict[str, str] | None = None,
    ) -> None:
        """
        :param typed: the keys that the customer types at questions; each ``GET DATA`` takes what it can of them.
        :param barging: for each ``STREAM FILE`` in turn the key that stops it, or ``""``.
        :param leaves_at: the number of the command, from 0, during which the customer hangs up.
        """
        self.commands: list[list[str]] = []
        self.heard: list[str] = []
        self.variables = dict(variables or {})
        self.typed = typed
        self.barging = list(barging)
        self.sounds = frozenset(sounds)
        self.leaves_at = leaves_at
        self.hung_up = False
        self.mute: frozenset[str] = frozenset()
        """Commands that are never answered, by their first word."""
        self.on_command: Callable[[list[str]], None] = lambda words: None
        self.can_say = True
        self.lost = False
        self.on_lost: Callable[[], None] = lambda: None
        self.ending: Deferred[None] = Deferred()
        """For a handler at the other end to wait for."""
        self._unfinished = b""
        self._environment = {"network": "yes", "network_script": path, "callerid": caller, "language": "en"}

    def connectionMade(self) -> None:
        """Say which call it is for."""
        lines = [f"agi_{name}: {value}" for name, value in self._environment.items()]
        self.tell("\n".join([*lines, ""]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The dialplan goes on."""
        self.lost = True
        self.on_lost()

    def hang_up(self) -> None:
        """The customer leaves, while nothing is played."""
        self.hung_up = True
        self.tell("HANGUP")

    def dataReceived(self, data: bytes) -> None:
        """Obey the commands."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._obey(arguments_of(line.decode()))

    def _obey(self, words: list[str]) -> None:
        leaves = len(self.commands) == self.leaves_at
        self.commands.append(words)
        self.on_command(words)
        if self.hung_up:
            self.tell("511 Command Not Permitted on a dead channel or intercept routine")
        elif leaves:
            self.hung_up = True
            self.tell("200 result=-1")
            self.tell("HANGUP")
        elif words[0] not in self.mute:
            self.tell(self._answer(words))

    def _answer(self, words: list[str]) -> str:
        known: dict[str, Callable[[list[str]], str]] = {
            "ANSWER": lambda _: "200 result=0",
            "HANGUP": self._hangup,
            "CHANNEL": lambda _: "200 result=6",
            "SET": self._set,
            "GET": self._get,
            "STREAM": self._stream,
            "SAY": self._say,
            "EXEC": self._exec,
        }
        return known[words[0]](words) if words[0] in known else "510 Invalid or unknown command"

    def _hangup(self, words: list[str]) -> str:
        self.hung_up = True
        return "200 result=1\nHANGUP"

    def _set(self, words: list[str]) -> str:
        self.variables[words[2]] = words[3]
        return "200 result=1"

    def _get(self, words: list[str]) -> str:
        if words[1] == "VARIABLE":
            value = self.variables.get(words[2])
            return "200 result=0" if value is None else f"200 result=1 ({value})"
        sound, most = words[2], int(words[4])
        if sound and not self._plays(sound):
            return "200 result=-1"
        before, end, _ = self.typed[: most + 1].partition("#")
        if len(before) >= most:
            self.typed = self.typed[most:]
            return f"200 result={before[:most]}"
        self.typed = self.typed[len(before) + len(end) :]
        return f"200 result={before}" if end else f"200 result={before} (timeout)"

    def _stream(self, words: list[str]) -> str:
        if not self._plays(words[2]):
            return "200 result=-1 endpos=0"
        key = self.barging.pop(0) if self.barging else ""
        return f"200 result={ord(key)} endpos=160" if key and key in words[3] else "200 result=0 endpos=3520"

    def _say(self, words: list[str]) -> str:
        if not self.can_say:
            return "200 result=-1"
        self.heard.append(f"{words[1].lower()} {words[2]}")
        return "200 result=0"

    def _exec(self, words: list[str]) -> str:
        self.variables["PLAYBACKSTATUS"] = "SUCCESS" if self._plays(words[2]) else "FAILED"
        return "200 result=0"

    def _plays(self, sound: str) -> bool:
        if sound in self.sounds:
            self.heard.append(sound)
        return sound in self.sounds

    def tell(self, text: str) -> None:
        """Send lines."""
        if self.transport is not None:
            self.transport.write(f"{text}\n".encode())
