"""A customer at an Asterisk: prompts, digits, amounts and keys over FastAGI."""

from __future__ import annotations

import re
from decimal import Decimal

from twisted.logger import Logger
from zope.interface import implementer

from ctiex.errors import CallerHungUp
from ctiex.interfaces import IMedia
from ctiex.telephony.asterisk.agi import AgiAnswer, AgiError
from ctiex.telephony.asterisk.fastagi import AgiChannel
from ctiex.telephony.asterisk.sounds import CURRENCY, CURRENCY_PART, Sounds, is_sound

_log = Logger()

KEYS = "0123456789*#"
"""The keys of a telephone."""
_NO_KEYS = ""
"""What is heard to the end whatever is pressed: digits and amounts."""
PLAYS_WITHIN = 1_800.0
"""The longest that one command may play, in seconds; a connection that is silent for longer is cut."""
_LARGEST_NUMBER = 999_999_999
_LONGEST_SPELLED = 32
_DIGITS_IN_A_COMMAND = 200
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z0-9]{1,8}){0,2}")
_VIDEO_ENDING = re.compile(r"\.(?:mp4|h26[1345]p?|mkv|webm|avi|mov)")
_NOT_SPELLED = re.compile(r"[^A-Za-z0-9]+")


@implementer(IMedia)
class AsteriskMedia:
    """The channel to one customer.

    A key stops the prompt that is playing and is kept for the next question, which then begins with it. Digits and
    amounts are read out to the end. Where a sound file is missing on the Asterisk a less special one is played, and
    without one the prompt's name is spelled out: the customer never hears nothing. Where nothing at all can be
    played :class:`ctiex.telephony.asterisk.agi.AgiError` is raised, and the service ends as failed.
    """

    def __init__(self, channel: AgiChannel, sounds: Sounds | None = None) -> None:
        """:param sounds: the sound files of the prompts; those of Asterisk's English package by default."""
        self._channel = channel
        self._sounds = Sounds() if sounds is None else sounds
        self._typed = ""
        """What was typed ahead of the next question."""
        self._stopped = False
        """The last prompt was stopped by a key."""

    # ------------------------------------------------------------ the call

    async def answer(self) -> None:
        """Take the call."""
        await self._channel.command("ANSWER")

    async def hang_up(self) -> None:
        """End the call; the customer returns to where they came from.

        While a command is under way the dialplan does it, once the connection is closed.
        """
        if self._channel.idle:
            await self._channel.command("HANGUP")

    async def speak(self, language: str) -> None:
        """Play prompts in this language from now on, where Asterisk has them; an invalid tag is ignored."""
        if _LANGUAGE.fullmatch(language):
            await self._channel.command("SET VARIABLE", "CHANNEL(language)", language)

    # ------------------------------------------------------------ IMedia

    async def play(self, prompt: str) -> None:
        """Play a prompt to its end, or until a key is pressed."""
        if not await self._play_what_is_there(prompt, KEYS):
            await self._spell_prompt(prompt)

    async def say_digits(self, digits: str) -> None:
        """Read out digits, one at a time."""
        said = "".join(key for key in digits if key in KEYS)
        for start in range(0, len(said), _DIGITS_IN_A_COMMAND):
            await self._say("SAY DIGITS", said[start : start + _DIGITS_IN_A_COMMAND])

    async def say_amount(self, amount: Decimal, currency: str) -> None:
        """Read out an amount: the whole, the currency, the hundredths."""
        whole, _, part = f"{abs(amount):f}".partition(".")
        part = part.rstrip("0")
        if amount < 0:
            await self._say_name("minus", ("digits/minus",))
        await self._say_number(whole)
        await self.play_currency(currency)
        if len(part) <= 2 and part:
            await self._say_number(part.ljust(2, "0"))
            await self._play_what_is_there(f"{CURRENCY_PART}.{currency}", _NO_KEYS)
        elif part:  # parts of a hundredth: 0.125 is read "point 1 2 5"
            await self._say_name("point", ("letters/dot",))
            await self.say_digits(part)

    async def collect_digits(self, prompt: str, count: int, timeout: float) -> str:
        """Ask, and collect keys; what was typed before the question counts, and is not asked for again."""
        if not self._typed:
            typed_at_once = await self._ask(prompt, count, timeout)
            if typed_at_once is not None:
                return typed_at_once
        typed, complete = self._taken(count)
        if complete:
            return typed
        return typed + _keys_of(await self._get_data("", count - len(typed), timeout))

    async def _ask(self, prompt: str, count: int, timeout: float) -> str | None:
        """Play a prompt; what was typed while its last sound played and behind it.

        None when the keys are still to be waited for: a key has stopped an earlier sound, or the prompt was spelled.
        """
        for sounds in self._sounds.candidates(prompt):
            if not await self._play_sounds(prompt, sounds[:-1], KEYS):
                continue
            if self._stopped:
                return None
            answer = await self._get_data(sounds[-1], count, timeout)
            if answer.number != -1:
                return _keys_of(answer)
            _log_missing(prompt, sounds)
        await self._spell_prompt(prompt)
        return None

    async def play_video(self, file: str) -> None:
        """Play a file with its picture where the channel has one, and its sound where it hasn't."""
        name = _VIDEO_ENDING.sub("", file)
        if is_sound(name):
            answer = await self._command("EXEC", "Playback", name)
            status = await self._channel.command("GET VARIABLE", "PLAYBACKSTATUS")
            if answer.number != -2 and status.note == "SUCCESS":
                return
            if answer.number == -2 and await self._stream(name, KEYS):  # without the module of Playback
                return
        _log.warn("video file {file!r} can't be played: its name is spelled out", file=name[:_LONGEST_SPELLED])
        await self._spell(name)

    # ------------------------------------------------------------ prompts

    async def _play_what_is_there(self, prompt: str, keys: str) -> bool:
        """Play a prompt by the first of its candidates that Asterisk has; False when it has none."""
        for sounds in self._sounds.candidates(prompt):
            if await self._play_sounds(prompt, sounds, keys):
                return True
        return False

    async def _play_sounds(self, prompt: str, sounds: tuple[str, ...], keys: str) -> bool:
        """Play the sounds of a prompt until one of the keys is pressed; False when one is missing."""
        self._stopped = False
        for sound in sounds:
            if not await self._stream(sound, keys):
                _log_missing(prompt, sounds)
                return False
            if self._stopped:
                break
        return True

    async def _stream(self, sound: str, keys: str) -> bool:
        answer = await self._command("STREAM FILE", sound, keys)
        if answer.number == -1:
            return False
        self._press(answer)
        return True

    async def _command(self, words: str, *arguments: str, timeout: float = PLAYS_WITHIN) -> AgiAnswer:
        """Asterisk answers -1 to both, a file that is missing and a customer who left: here it is the file.

        :raise CallerHungUp: they left.
        """
        answer = await self._channel.command(words, *arguments, timeout=timeout)
        if answer.number == -1 and (await self._channel.command("CHANNEL STATUS")).number == -1:
            raise CallerHungUp("the channel was hung up")
        return answer

    def _press(self, answer: AgiAnswer) -> None:
        code = answer.number or 0
        key = chr(code) if 0 < code < 128 else ""
        self._stopped = key in KEYS and key != ""
        if self._stopped and (key != "#" or self._typed):  # a # before any digit is the end of the answer before
            self._typed += key

    async def _spell_prompt(self, prompt: str) -> None:
        name = prompt.partition(".")[0]
        _log.info("prompt {prompt!r} has no sound on this Asterisk: its name is spelled out", prompt=name)
        await self._spell(name)

    async def _spell(self, text: str) -> None:
        letters = _NOT_SPELLED.sub(" ", text)[:_LONGEST_SPELLED].strip() or "x"
        self._press(await self._say("SAY ALPHA", letters, KEYS))

    # ------------------------------------------------------------ numbers

    async def _say(self, words: str, text: str, keys: str = _NO_KEYS) -> AgiAnswer:
        answer = await self._command(words, text, keys)
        if answer.number == -1:
            raise AgiError(f"Asterisk can't {words}: its sounds for that are missing")
        return answer

    async def _say_number(self, digits: str) -> None:
        if int(digits) <= _LARGEST_NUMBER:
            await self._say("SAY NUMBER", str(int(digits)))
        else:
            await self.say_digits(digits)

    async def play_currency(self, currency: str) -> None:
        """Say the name of a currency; spell its code where there is no sound of it."""
        if not await self._play_what_is_there(f"{CURRENCY}.{currency}", _NO_KEYS):
            await self._say("SAY ALPHA", _NOT_SPELLED.sub("", currency)[:_LONGEST_SPELLED] or "x")

    async def _say_name(self, name: str, sounds: tuple[str, ...]) -> None:
        if not await self._play_sounds(name, sounds, _NO_KEYS):
            await self._say("SAY ALPHA", name)

    # ------------------------------------------------------------ keys

    def _taken(self, count: int) -> tuple[str, bool]:
        """What was typed ahead, and whether that is a whole answer already."""
        answer, end, rest = self._typed.partition("#")
        if end and len(answer) <= count:
            self._typed = rest.lstrip("#")
            return answer, True
        taken, rest = self._typed[:count], self._typed[count:]
        self._typed = rest.lstrip("#")
        return taken, len(taken) >= count

    async def _get_data(self, sound: str, count: int, timeout: float) -> AgiAnswer:
        """What is typed while a sound plays and behind it; -1 for one that is missing."""
        milliseconds = str(max(1, round(timeout * 1000)))
        longest = PLAYS_WITHIN + timeout * (count + 1)
        return await self._command("GET DATA", sound, milliseconds, str(count), timeout=longest)


def _keys_of(answer: AgiAnswer) -> str:
    return "".join(key for key in answer.result if key in KEYS).partition("#")[0]


def _log_missing(prompt: str, sounds: tuple[str, ...]) -> None:
    _log.warn("prompt {prompt!r}: Asterisk can't play {sounds}", prompt=prompt.partition(".")[0],
              sounds=" ".join(sounds))  # fmt: skip
