"""The service that asks for a password, over a scripted customer, and the made-up accounts."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from ctiex.fields import Fields, Value
from ctiex.messages import Condition
from ctiex.services.media import TerminalMedia
from ctiex.services.password_authentication import PasswordAuthentication
from ctiex.services.passwords import Account, DemoPasswords, StoredPassword, hash_password
from ctiex.testing.media import ScriptedMedia

from .service_case import Results, ServiceTestCase, quick


class Verifier:
    """Knows one password for each level; notes what it was asked."""

    def __init__(self, common: str = "1111", advanced: str = "99999999") -> None:
        self.levels = {common: "common", advanced: "advanced"}
        self.asked: list[tuple[str, str]] = []

    async def verify(self, account: str, area: str, password: str) -> str | None:
        self.asked.append((account, area))
        return self.levels.get(password)


class BrokenVerifier:
    """Quotes the password in its error."""

    async def verify(self, account: str, area: str, password: str) -> str | None:
        raise RuntimeError(f"no connection for {password}")


class SlowVerifier:
    """Never comes to an end."""

    async def verify(self, account: str, area: str, password: str) -> str | None:
        answer: Deferred[None] = Deferred()
        await answer
        return None


class PasswordAuthenticationTests(ServiceTestCase):
    """Valid or not, advanced or common, and how many tries it took."""

    request: Results = {"account": "7", "area": "010", "password_level": "common"}

    def outcome(self, typed: list[str], **fields: Value) -> tuple[Results, ScriptedMedia]:
        outcome, media, _ = self.serve(PasswordAuthentication(Verifier()), {**self.request, **fields}, typed)
        self.assertIs(outcome.condition, Condition.COMPLETED)
        return dict(outcome.fields), media

    def test_the_right_password_at_the_second_try(self) -> None:
        verifier = Verifier()
        fields: Results = {**self.request, "prompt_tone": "calm", "agent_number": "1001", "vip_level": 0}
        outcome, media, progress = self.serve(PasswordAuthentication(verifier), fields, ["12", "1111#"])
        self.assertEqual(dict(outcome.fields), {"valid": True, "level": "common", "tries": 2})
        self.assertEqual(
            media.transcript,
            [
                "ask enter-password.calm: **",
                "play password-wrong",
                "ask enter-password.calm: ****",
                "play password-accepted",
                "play back-to-agent",
            ],
        )
        self.assertEqual(progress, [{"tries": 1}, {"tries": 2}])
        self.assertEqual(verifier.asked, [("7", "010")] * 2)

    def test_an_advanced_password_will_do_where_a_common_one_is_asked_for(self) -> None:
        fields, _ = self.outcome(["99999999"])
        self.assertEqual(fields, {"valid": True, "level": "advanced", "tries": 1})

    def test_a_common_password_does_not_do_for_advanced(self) -> None:
        fields, _ = self.outcome(["1111"], password_level="advanced", tries=1)
        self.assertEqual(fields, {"valid": False, "level": "common", "tries": 1})
        fields, _ = self.outcome(["1111", "99999999"], password_level="advanced")
        self.assertEqual(fields, {"valid": True, "level": "advanced", "tries": 2})

    @given(st.integers(1, 10), st.lists(st.text("023456789", max_size=6), max_size=12))
    @example(3, ["", "", ""])
    @quick
    def test_wrong_passwords_are_tried_as_often_as_allowed(self, tries: int, typed: list[str]) -> None:
        fields, _ = self.outcome(typed, tries=tries)
        self.assertEqual(fields, {"valid": False, "level": "", "tries": tries})

    def test_silence_is_a_try_that_nobody_verifies(self) -> None:
        verifier = Verifier()
        outcome, _, _ = self.serve(PasswordAuthentication(verifier), self.request, ["", "1111"])
        self.assertEqual(dict(outcome.fields), {"valid": True, "level": "common", "tries": 2})
        self.assertEqual(len(verifier.asked), 1)

    def test_a_vip_has_one_more_try_and_other_prompts(self) -> None:
        vips: tuple[tuple[Value, int], ...] = ((0, 3), (1, 4), (5, 4), ("0", 3), ("2", 4), ("", 3))
        for vip, tries in vips:
            fields, media = self.outcome([], vip_level=vip)
            self.assertEqual(fields["tries"], tries)
            self.assertEqual(media.transcript[-1], "play back-to-agent.vip" if tries == 4 else "play back-to-agent")
        fields, media = self.outcome([], vip_level=1, tries=2)
        self.assertEqual(fields["tries"], 2)
        self.assertEqual(media.transcript[0], "ask enter-password.vip: nothing")

    def test_a_request_that_lacks_something_fails(self) -> None:
        service = PasswordAuthentication(Verifier())
        self.assert_failed(service, {"password_level": "common"}, "field 'account': expected text")
        self.assert_failed(service, {"account": "7"}, "field 'password_level': expected common or advanced")
        for tries in (0, 11, "3", True):
            self.assert_failed(service, {**self.request, "tries": tries}, "expected an integer from 1 to 10")
        for vip in (-1, True, "gold", b"1"):
            self.assert_failed(service, {**self.request, "vip_level": vip}, "field 'vip_level'")

    def test_a_customer_who_hangs_up_leaves_what_was_done(self) -> None:
        service = PasswordAuthentication(Verifier())
        results = self.assert_abandoned_anywhere(service, self.request, ["12", "1111"])
        self.assertEqual([result["tries"] for result in results], [0, 1, 1, 2, 2])
        self.assertEqual([result["valid"] for result in results], [False, False, False, True, True])

    @given(st.from_regex("8317[0-9]{8,16}", fullmatch=True), st.integers(0, 9))
    @quick
    def test_the_password_never_leaves_the_service(self, password: str, hang_up_after: int) -> None:
        entry = Account("010", (StoredPassword.of("common", password, b"\x07" * 16),))
        everything: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            everything.append(repr(event))

        globalLogPublisher.addObserver(observer)
        try:
            for verifier in (DemoPasswords({"7": entry}), BrokenVerifier()):
                service = PasswordAuthentication(verifier)
                for actions in (None, hang_up_after):
                    fields: Results = {**self.request, "password_level": "advanced"}
                    outcome, media, progress = self.serve(service, fields, [password] * 3, actions)
                    everything += [repr(service), repr(verifier), repr(outcome), repr(media), repr(entry)]
                    everything += [outcome.fields.describe(), *media.transcript, repr(progress)]
        finally:
            globalLogPublisher.removeObserver(observer)
        self.assertNotIn(password, "\n".join(everything))
        self.flushLoggedErrors()

    def test_a_verifier_that_breaks_is_a_failure_without_its_words(self) -> None:
        outcome, _, _ = self.serve(PasswordAuthentication(BrokenVerifier()), self.request, ["4711"])
        self.assertIs(outcome.condition, Condition.FAILED)
        self.assertEqual(dict(outcome.fields), {"reason": "the password can't be verified now"})

    def test_a_level_that_nobody_knows_is_a_failure(self) -> None:
        verifier = Verifier()
        verifier.levels["1111"] = "golden"
        outcome, _, _ = self.serve(PasswordAuthentication(verifier), self.request, ["1111"])
        self.assertIs(outcome.condition, Condition.FAILED)

    def test_a_cancelled_service_stops(self) -> None:
        waiting: Deferred[str] = Deferred()
        media = TerminalMedia(lambda: waiting, lambda _: None, Clock())
        running = ensureDeferred(PasswordAuthentication(Verifier()).serve(Fields(self.request), media))
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)

    def test_a_service_can_be_cancelled_while_the_password_is_verified(self) -> None:
        service = PasswordAuthentication(SlowVerifier())
        running = ensureDeferred(service.serve(Fields(self.request), ScriptedMedia(["1111"])))
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)


class DemoPasswordsTests(ServiceTestCase):
    """The made-up accounts."""

    def level(self, account: str, area: str, password: str) -> str | None:
        return self.result_of(DemoPasswords().verify(account, area, password))

    def test_they_are_the_documented_ones(self) -> None:
        self.assertEqual(self.level("1001", "010", "246810"), "common")
        self.assertEqual(self.level("1001", "", "97531864"), "advanced")
        self.assertEqual(self.level("1002", "021", "135790"), "common")

    def test_everything_else_is_wrong(self) -> None:
        for account, area, password in (
            ("1001", "021", "246810"), ("1001", "010", "135790"), ("1001", "010", "24681"),
            ("1001", "010", ""), ("1003", "", "246810"), ("", "", ""),
        ):  # fmt: skip
            self.assertIsNone(self.level(account, area, password))

    @given(st.text("0123456789", max_size=20), st.text("0123456789", max_size=20), st.binary(min_size=16, max_size=16))
    @quick
    def test_only_the_same_password_under_the_same_salt_has_the_same_hash(
        self, one: str, two: str, salt: bytes
    ) -> None:
        self.assertEqual(hash_password(one, salt) == hash_password(two, salt), one == two)
        self.assertNotEqual(hash_password(one, salt), hash_password(one, salt + b"x"))
