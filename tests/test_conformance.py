"""The conformance kit: our own clients pass it, and clients with a fault fail in exactly the case that is about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from io import StringIO
from typing import Any

import pytest
from twisted.logger import capturedLogs
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.app.commands import conformance
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import Status
from ctiex.fields import EMPTY
from ctiex.messages import Condition, ConnectRequest, OpenCall, OpenCallState, Role
from ctiex.testing.conformance.kit import cases_of
from ctiex.testing.conformance.mailbox import AGENT, Mailbox
from ctiex.testing.conformance.verdicts import CaseOutcome, Verdict, summary
from ctiex.testing.conformance.waits import Patience

from . import conformance_clients as clients
from . import conformance_faults as faults
from .conformance_clients import AgentUnderTest, ServiceUnderTest
from .conformance_plays import SHORT, FaultyCase, played
from .processes import ROOT

RARE_IN_JSON = {
    "usual",
    "extensions",
    "byte-by-byte",
    "malformed-reply",
    "malformed-frame",
    "unknown-kind",
    "other-role",
    "too-long",
    "long-frame",
}


class OwnClientsTests(TestCase):
    """Our own clients, over TCP."""

    def check(self, verdicts: Sequence[Verdict], not_seen: Collection[str] = ()) -> None:
        """All of them are ok, but for those that the client has nothing to do with."""
        others = [verdict for verdict in verdicts if verdict.name not in not_seen]
        self.assertEqual([verdict.line for verdict in others if verdict.outcome is not CaseOutcome.OK], [])
        unseen = {verdict.name for verdict in verdicts if verdict.outcome is CaseOutcome.NOT_SEEN}
        self.assertEqual(unseen, set(not_seen))

    @pytest.mark.gate
    async def test_an_agents_application(self) -> None:
        with capturedLogs():
            self.check(await played(AgentUnderTest, BinaryCodec()), not_seen=["empty-serial"])

    @pytest.mark.gate
    async def test_an_automatic_service(self) -> None:
        with capturedLogs():
            self.check(await played(ServiceUnderTest, BinaryCodec()))

    async def test_an_agents_application_in_json(self) -> None:
        with capturedLogs():
            self.check(await played(AgentUnderTest, JsonCodec(), RARE_IN_JSON | {"new-epoch", "unknown-final"}))

    async def test_an_automatic_service_in_json(self) -> None:
        with capturedLogs():
            self.check(await played(ServiceUnderTest, JsonCodec(), RARE_IN_JSON | {"call-ended", "report-lost"}))


@pytest.mark.gate
class FaultyClientsTests(FaultyCase):
    """Clients with one fault each: the case that is about it fails, and those beside it don't."""

    async def test_one_that_ignores_the_epoch(self) -> None:
        await self.fails(
            faults.IgnoresEpoch,
            "new-epoch",
            beside={"usual", "gap"},
            says="though 1 is the last",
        )

    async def test_one_that_fights_for_its_number(self) -> None:
        await self.fails(faults.FightsForItsNumber, "taken-over", beside={"usual", "cut"}, says="logged the number in")

    async def test_one_that_asks_for_another_call_when_the_answer_is_lost(self) -> None:
        await self.fails(
            faults.AsksForAnotherCall, "reply-lost", beside={"usual", "gap"}, says="asked for another call"
        )

    async def test_one_that_takes_any_error_under_the_id_for_its_answer(self) -> None:
        await self.fails(
            faults.TakesAnyError,
            "error-elsewhere",
            beside={"usual", "gap"},
            says="took it for the end",
        )

    async def test_one_that_takes_events_twice(self) -> None:
        await self.fails(
            faults.TakesEventsTwice, "doubled-events", beside={"usual", "new-epoch"}, says="took an event twice"
        )

    async def test_one_that_does_not_wait_for_retry_after(self) -> None:
        await self.fails(
            faults.IgnoresRetryAfter, "retry-after", beside={"usual", "store-unavailable"}, says="asked again after"
        )

    async def test_one_that_takes_unknown_conditions_for_progress(self) -> None:
        await self.fails(
            faults.KnowsNoFinalConditions, "unknown-final", beside={"usual", "unknown-progress"}, says="no Unbind"
        )

    async def test_one_that_answers_nothing_to_call_ended(self) -> None:
        await self.fails(
            faults.SilentAtCallEnded,
            "call-ended",
            beside={"usual", "data-changed"},
            says="no CallEndedReply",
        )

    async def test_one_that_serves_on_behind_call_ended(self) -> None:
        await self.fails(
            faults.ServesOn, "call-ended", beside={"usual", "call-ended-unknown"}, says="reported condition"
        )

    async def test_one_that_repeats_25(self) -> None:
        await self.fails(
            faults.RepeatsEventIdUsed, "report-25", beside={"usual", "report-50", "report-24"}, says="same event_id"
        )

    async def test_one_that_repeats_under_another_event_id(self) -> None:
        await self.fails(
            faults.ReportsUnderAnotherId, "report-lost", beside={"usual", "report-0"}, says="another event_id"
        )

    async def test_one_that_refuses_a_doubled_connection(self) -> None:
        await self.fails(
            faults.RefusesDoubledConnections, "doubled-connection", beside={"usual", "no-serial"}, says="refused"
        )

    async def test_one_that_serves_twice(self) -> None:
        await self.fails(
            faults.ServesTwice,
            "doubled-connection",
            beside={"usual", "no-serial"},
            says="reported condition",
        )

    async def test_one_that_acknowledges_before_its_login_is_answered(self) -> None:
        await self.fails(
            faults.AcknowledgesEarly,
            "early-events",
            "early-at-first",
            beside={"usual", "gap"},
            says="before the AgentLoginReply",
        )

    async def test_one_that_repeats_a_request_without_a_serial(self) -> None:
        await self.fails(
            faults.RepeatsEmptySerials, "empty-serial", beside={"usual", "unknown-final"}, says="asked again"
        )

    async def test_one_that_is_not_there(self) -> None:
        verdicts = await played(faults.NeverComes, BinaryCodec(), {"usual", "gap"}, Patience(0.1, 0.1))
        self.assertEqual([verdict.outcome for verdict in verdicts], [CaseOutcome.NOT_SEEN] * 2)
        self.assertIn("no Bind came", verdicts[0].instead)


@pytest.mark.gate
class UnusualClientsTests(TestCase):
    """Clients that do what the wire allows and most don't: no case fails for that."""

    async def passes(self, client_type: Any, *names: str, patience: Patience = SHORT) -> None:
        """Play some cases."""
        with capturedLogs():
            verdicts = await played(client_type, BinaryCodec(), names, patience)
        self.assertEqual([verdict.line for verdict in verdicts if verdict.outcome is not CaseOutcome.OK], [])
        self.assertEqual(len(verdicts), len(names))

    async def test_one_that_fetches_again(self) -> None:
        await self.passes(
            clients.FetchesAgain, "usual", "unbind", "cut", "call-ended", "call-ended-behind-cut", "data-changed",
            "data-changed-unknown", "doubled-connection", "connection-behind-cut", "late-connection",
            "unknown-access-code", "event-ids", "requests-in-flight", "data-14", "report-25", "report-50",
            "report-lost",
        )  # fmt: skip

    async def test_one_that_fetches_behind_its_result(self) -> None:
        clients.FetchesBehindItsResult.statuses.clear()
        await self.passes(clients.FetchesBehindItsResult, "usual", "report-40", "report-24", "late-connection")
        self.assertEqual(set(clients.FetchesBehindItsResult.statuses), {Status.UNKNOWN_SERIAL})

    async def test_one_that_logs_in_again_on_its_link(self) -> None:
        await self.passes(
            clients.LogsInAgain, "usual", "cut", "gap", "new-epoch", "taken-over", "unknown-progress", "doubled-events",
            "replayed-events", "early-events", "login-later", "reply-lost", "update-lost",
        )  # fmt: skip

    async def test_one_whose_login_crosses_with_the_take_over(self) -> None:
        await self.passes(clients.LogsInAsItIsTakenOver, "usual", "taken-over", "unknown-final")

    async def test_one_that_acknowledges_at_the_end_alone(self) -> None:
        await self.passes(
            clients.AcknowledgesAtTheEnd, "usual", "gap", "new-epoch", "taken-over", "unknown-progress",
            "doubled-events", "replayed-events", "early-events", "early-at-first", "unknown-call", "login-later",
            "updates-in-flight", "update-lost", "cancel-lost", "shorter-frames",
        )  # fmt: skip

    async def test_one_that_unbinds_under_0(self) -> None:
        await self.passes(clients.UnbindsUnder0, "usual", "error", "unknown-final", "never")

    async def test_one_that_leaves_its_serials_to_the_exchange(self) -> None:
        await self.passes(
            clients.UsesEmptySerials, "usual", "unbind", "cut", "other-version", "zeros", "empty-serial",
            "unknown-final", "update-lost", "cancel-lost",
        )  # fmt: skip


class ListedCallsTests(SynchronousTestCase):
    """What the kit answers to CallQuery."""

    def test_a_call_is_where_its_events_say(self) -> None:
        mailbox = Mailbox()
        request = ConnectRequest("7", AGENT, "conformance", "13800138000", "desk 7")
        mailbox.keep(1.0, request)
        states = [mailbox.listed["7"].state]
        for condition in (Condition.CONNECTING, Condition.CONNECTED, 0x4D, Condition.DATA_FETCHED, Condition.COMPLETED):
            mailbox.add(2.0, request, condition, Status.OK, EMPTY)
            mailbox.keep(3.0, request)  # a repeat
            states.append(mailbox.listed["7"].state)
        self.assertEqual(
            states,
            [
                OpenCallState.REQUESTED,
                OpenCallState.CONNECTING,
                OpenCallState.CONNECTED,
                OpenCallState.CONNECTED,
                OpenCallState.FETCHED,
                OpenCallState.REPORTED,
            ],
        )
        self.assertEqual(mailbox.listed["7"], OpenCall("7", "conformance", "desk 7", OpenCallState.REPORTED, 2_000))
        mailbox.acknowledge(mailbox.last)
        self.assertEqual(mailbox.listed, {})

    def test_a_call_that_is_over_is_not_listed(self) -> None:
        for condition in (Condition.CANCELLED, Condition.TIMED_OUT, 0x90):
            with self.subTest(condition):
                mailbox = Mailbox()
                request = ConnectRequest("7", AGENT, "conformance", "13800138000")
                mailbox.keep(1.0, request)
                mailbox.add(2.0, request, condition, Status.OK, EMPTY)
                self.assertEqual((mailbox.listed, list(mailbox.calls)), ({}, ["7"]))


class CommandTests(SynchronousTestCase):
    """``ctiex conformance``, as far as it needs no client."""

    def options(self, *arguments: str) -> conformance.Options:
        """The options of a command line."""
        options = conformance.Options()
        options.parseOptions(arguments)
        return options

    def test_the_cases_are_listed(self) -> None:
        for role in ("agent", "service"):
            with self.subTest(role):
                out = StringIO()
                code = self.successResultOf(_run(self.options(role, "--list"), out))
                self.assertEqual(code, 0)
                names = [line.partition(":")[0] for line in out.getvalue().splitlines()]
                self.assertEqual(names, [case.name for case in cases_of(Role[role.upper()])])

    def test_every_case_has_a_name_of_its_own(self) -> None:
        for role in Role:
            names = [case.name for case in cases_of(role)]
            self.assertEqual(len(set(names)), len(names))

    def test_the_page_has_every_case(self) -> None:
        page = (ROOT / "docs" / "conformance.rst").read_text()
        rows = re.findall(r'^   ([a-z0-9-]+), "(.*)"$', page, re.M)
        cases = {(case.name, case.should) for role in Role for case in cases_of(role)}
        self.assertEqual((set(rows), len(rows)), (cases, len(cases)))

    def test_only_some_are_listed(self) -> None:
        out = StringIO()
        self.successResultOf(_run(self.options("agent", "--only", "gap", "--list"), out))
        self.assertTrue(out.getvalue().startswith("gap: should log in"))
        self.assertEqual(len(out.getvalue().splitlines()), 1)

    def test_what_is_no_option(self) -> None:
        for arguments in (["telephone"], [], ["agent", "--only", "gab"], ["agent", "--patience", "0"]):
            with self.subTest(arguments):
                self.assertRaises(UsageError, self.options, *arguments)
        with self.assertRaises(UsageError):
            self.options("agent", "--codec", "yaml").codec()

    def test_the_exit_code(self) -> None:
        ok, failed, not_seen = (Verdict("a", outcome, "do it") for outcome in CaseOutcome)
        self.assertEqual(conformance.exit_code([ok, not_seen]), 0)
        self.assertEqual(conformance.exit_code([ok, failed]), 1)
        self.assertEqual(conformance.exit_code([not_seen]), 1)
        self.assertEqual(summary([ok, failed, not_seen]), "3 cases: 1 ok, 1 failed, 1 not seen")

    def test_a_verdict_is_a_line(self) -> None:
        self.assertEqual(Verdict("gap", CaseOutcome.OK, "go on").line, "ok        gap: should go on")
        self.assertEqual(
            Verdict("gap", CaseOutcome.FAILED, "go on", "left").line, "failed    gap: should go on; instead: left"
        )


def _run(options: conformance.Options, out: StringIO) -> Any:
    from twisted.internet.defer import ensureDeferred

    return ensureDeferred(conformance.run(options, None, out, StringIO()))
