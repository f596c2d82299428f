"""A customer at a real Asterisk: what they hear and type. ``tests/asterisk_by_hand.py`` is made after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ctiex.errors import CallerHungUp
from ctiex.telephony.asterisk.fastagi import AgiChannel, FastAgiServer
from ctiex.telephony.asterisk.media import AsteriskMedia
from ctiex.telephony.asterisk.sounds import DEFAULT_SOUNDS, Sounds

from .addresses import Addresses
from .happenings import LONGEST
from .peers import ASTERISK
from .platforms import Asterisk

AGI_PORT = 4574
SERIAL = "13800138000**2026112200017"
CUSTOMER = """
[customer]
; The customer: types what stands behind the underscore, and stays.
exten => _X.,1,Answer()
 same => n,Wait(0.7)
 same => n,SendDTMF(${EXTEN:1})
 same => n,Wait(30)
; Stays for so many tenths of a second, and hangs up.
exten => _L.,1,Answer()
 same => n,Wait(${EXTEN:1:1}.${EXTEN:2})
 same => n,Hangup()
"""
Doing = Callable[[AsteriskMedia], Awaitable[Any]]


@pytest.mark.telephony
class VoiceOfVersion22(TestCase):
    """Asterisk 22."""

    timeout = LONGEST
    version = 22

    def setUp(self) -> object:
        """One Asterisk, and a FastAGI server that does what the test says."""
        assert ASTERISK[self.version].ready, f"no Asterisk {self.version}: not built; run `make telephony-peers`"
        self.addresses = Addresses.of_this_run()
        self.folder = Path(tempfile.mkdtemp(prefix="ctiex-voice-"))
        self.addCleanup(shutil.rmtree, self.folder)
        proof = f"{CUSTOMER}\n[agi]\nexten => s,1,AGI(agi://{self.addresses.services}:{AGI_PORT}/voice)\n"
        values = {"GLOBALS_2": "", "PROOF_2": proof, "INCLUDE_2": "", "CONTEXT": "agi", "CORE": self.addresses.core}
        self.asterisk = Asterisk(
            reactor, self.version, "platform-2", self.addresses.platform_2, self.folder / "asterisk", values
        )
        return ensureDeferred(self._start())

    async def _start(self) -> None:
        self.server = FastAgiServer(reactor, self._serve)
        endpoint = TCP4ServerEndpoint(reactor, AGI_PORT, interface=self.addresses.services)
        port = await endpoint.listen(self.server)
        self.addCleanup(port.stopListening)
        self.addCleanup(lambda: ensureDeferred(self.asterisk.stop()))
        await self.asterisk.start()

    async def _serve(self, channel: AgiChannel) -> None:
        self.caller = channel.call["callerid"]
        media = AsteriskMedia(channel, self.sounds)
        try:
            await media.answer()
            outcome = await self.doing(media)
        except BaseException:
            self.done.errback(Failure())
            return
        await media.hang_up()
        self.done.callback(outcome)

    async def call(self, customer: str, doing: Doing, sounds: Sounds | None = None) -> Any:
        """A customer calls; what came of it, once nothing is left of the call."""
        self.doing, self.sounds, self.done = doing, sounds, Deferred()
        self._began = len(self.asterisk.log())
        await self.asterisk.witness.ask(
            "Originate", Channel=f"Local/{customer}@customer", Context="agi", Exten="s", Priority="1",
            CallerID=f'"Customer" <{SERIAL}>', Async="true",
        )  # fmt: skip
        try:
            return await self.done
        finally:
            await self.asterisk.witness.command("channel request hangup all")
            await self.asterisk.witness.empty()
            self.assertEqual(self.server.channels, {})

    def heard(self) -> list[str]:
        """The sound files that Asterisk has played in the last call."""
        lines = self.asterisk.log()[self._began :].splitlines()
        return [line.split("Playing '")[1].split(".")[0] for line in lines if "> Playing '" in line]

    # ------------------------------------------------------------ scenarios

    async def test_the_serial_arrives_in_the_calling_number(self) -> None:
        await self.call("L9", lambda media: media.play("plus"))
        self.assertEqual(self.caller, SERIAL)

    def test_the_prompts_by_default_are_files_of_its_package(self) -> None:
        files = self.asterisk.folder / "data/sounds/en"
        for sounds in DEFAULT_SOUNDS.values():
            for sound in sounds:
                self.assertTrue((files / f"{sound}.gsm").exists(), sound)

    async def test_what_is_typed_at_a_question(self) -> None:
        self.assertEqual(await self.call("02468#", lambda m: m.collect_digits("enter-password", 8, 3)), "2468")
        self.assertEqual(self.heard(), ["agent-pass"])

    async def test_a_question_that_nobody_answers(self) -> None:
        self.assertEqual(await self.call("L90", lambda m: m.collect_digits("plus", 8, 0.5)), "")

    async def test_a_key_that_stops_a_prompt_belongs_to_the_next_question(self) -> None:
        async def ask(media: AsteriskMedia) -> str:
            await media.play("again-or-satisfied")
            return await media.collect_digits("enter-password", 4, 3)

        self.assertEqual(await self.call("02468", ask), "2468")
        self.assertEqual(self.heard(), ["to-listen-to-it"])

    async def test_a_menu_of_several_sounds_is_stopped_by_a_key(self) -> None:
        self.assertEqual(await self.call("02", lambda m: m.collect_digits("again-or-return", 1, 3)), "2")
        self.assertEqual(self.heard(), ["to-listen-to-it"])

    async def test_a_missing_file_is_spelled_and_the_question_answered(self) -> None:
        sounds = Sounds({"pin": ("custom/not-there",)})
        self.assertEqual(await self.call("042#", lambda m: m.collect_digits("pin", 4, 3), sounds), "42")
        self.assertEqual(self.heard()[:1], ["letters/p"])

    async def test_numbers_amounts_and_video(self) -> None:
        async def say(media: AsteriskMedia) -> None:
            await media.speak("fr")
            await media.say_digits("114")
            await media.say_amount(Decimal("-12.50"), "USD")
            await media.play_video("beep.mp4")

        await self.call("L90", say)
        self.assertEqual(
            self.heard(),
            [
                *(f"digits/{digit}" for digit in "114"),
                "digits/minus",
                "digits/12",
                "digits/dollars",
                "digits/50",
                "beep",
            ],
        )

    async def test_a_customer_who_leaves_is_noticed_whatever_goes_on(self) -> None:
        for doing in (
            lambda media: media.play("again-or-satisfied"),
            lambda media: media.collect_digits("enter-password", 8, 5),
            lambda media: media.collect_digits("again-or-return", 1, 5),
            lambda media: media.say_digits("0123456789"),
            lambda media: media.say_amount(Decimal("777777.77"), "USD"),
            lambda media: media.play_video("demo-instruct.mp4"),
        ):
            with self.assertRaises(CallerHungUp):
                await self.call("L06", doing)


class VoiceOfVersion16(VoiceOfVersion22):
    """Asterisk 16."""

    version = 16
