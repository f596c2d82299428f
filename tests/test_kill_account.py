"""The accounting of the load finds what it is there to find."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from .kill_account import Account


def ledger(**changes: Mapping[str, object] | None) -> Account:
    """The account of one call that went well, but for these lines; None takes a line out."""
    lines: dict[str, Mapping[str, object] | None] = {
        "asked": {"what": "asked", "serial": "5", "agent": "1", "token": "a"},
        "kept": {"what": "kept", "serial": "5"},
        "fetched": {"what": "fetched", "serial": "5", "token": "a", "reference": "customer 5"},
        "reporting": {"what": "reporting", "serial": "5", "condition": 1, "token": "b"},
        "came": {"what": "came", "agent": "1", "epoch": 7, "sequence": 1, "content": 8},
        "event": EVENT,
        "reported": {"what": "reported", "serial": "5", "condition": 1, "token": "b"},
    }
    return Account({"at": 0.0, **line} for line in (lines | changes).values() if line is not None)


EVENT: Mapping[str, object] = {
    "what": "event", "agent": "1", "epoch": 7, "sequence": 1, "serial": "5", "reference": "customer 5", "condition": 1,
    "token": "b",
}  # fmt: skip


class AccountCase(SynchronousTestCase):
    """Looks at all that an account may find."""

    def found(self, account: Account, *others: str) -> list[str]:
        """What it finds, in one kind alone; ``others`` may find it too."""
        kinds = {name: getattr(account, name) for name in ("lost", "swallowed", "doubled", "wrong")}
        found = {name: sentences for name, sentences in kinds.items() if sentences and name not in others}
        self.assertLessEqual(len(found), 1, found)
        return [sentence for sentences in found.values() for sentence in sentences]


class LostTests(AccountCase):
    """What was acknowledged and isn't there."""

    def test_a_call_that_went_well_is_in_order(self) -> None:
        account = ledger()
        self.assertEqual((self.found(account), account.missed, account.epochs), ([], [], [7]))

    def test_a_call_without_an_end_is_lost(self) -> None:
        self.assertEqual(self.found(ledger(event=None, reported=None)), ["call 5 has no end"])

    def test_a_request_whose_repeat_has_finished_was_kept(self) -> None:
        refused = {"what": "refused", "serial": "5", "status": 24}
        self.assertEqual(self.found(ledger(kept=refused, event=None, reported=None)), ["call 5 has no end"])

    def test_an_acknowledged_report_that_came_otherwise_is_lost(self) -> None:
        self.assertEqual(len(self.found(ledger(event={**EVENT, "condition": 15, "token": ""}))), 1)

    def test_what_was_acknowledged_before_a_moment_may_be_left_out(self) -> None:
        both = {"serial": "5", "condition": 1, "token": "b", "at": 9.0}
        account = ledger(kept={"what": "kept", **both}, event=None, reported={"what": "reported", **both})
        self.assertEqual((len(account.lost_since(9.0)), account.lost_since(9.5)), (2, []))

    def test_a_hole_in_the_sequences_is_lost_and_missed(self) -> None:
        account = ledger(event={**EVENT, "sequence": 2})
        self.assertEqual((self.found(account), len(account.missed)), (account.missed, 1))

    def test_a_hole_that_was_told_is_lost_and_not_missed(self) -> None:
        gap = {"what": "gap", "agent": "1", "first": 1, "last": 1}
        account = ledger(event=None, gap=gap, behind={**EVENT, "sequence": 2})
        self.assertEqual((len(self.found(account)), account.missed), (1, []))

    def test_a_hole_of_which_a_part_was_told_is_missed(self) -> None:
        gap = {"what": "gap", "agent": "1", "first": 1, "last": 1}
        account = ledger(event=None, gap=gap, behind={**EVENT, "sequence": 3})
        self.assertEqual(len(account.missed), 1)

    def test_another_numbering_that_wasn_t_told_is_missed(self) -> None:
        anew = {**EVENT, "epoch": 8, "token": ""}
        self.assertEqual(len(ledger(anew=anew).missed), 1)
        told = ledger(gap={"what": "gap", "agent": "1", "first": 2, "last": 1}, anew=anew)
        self.assertEqual((told.missed, told.epochs), ([], [7, 8]))

    def test_a_report_that_is_taken_for_another_is_swallowed(self) -> None:
        unreported = {"what": "unreported", "serial": "5", "condition": 1, "token": "b"}
        for status, found in ((25, 1), (51, 1), (20, 0), (24, 0), (41, 0)):
            account = ledger(event={**EVENT, "condition": 15, "token": ""}, reported={**unreported, "status": status})
            self.assertEqual(len(self.found(account)), found, status)


class DoubledTests(AccountCase):
    """What happened twice."""

    def test_a_second_end_is_doubled(self) -> None:
        again = {**EVENT, "sequence": 2, "token": "", "condition": 15}
        self.assertEqual(self.found(ledger(again=again), "wrong"), ["call 5 has 2 ends"])

    def test_an_end_in_another_numbering_is_another_one(self) -> None:
        gap = {"what": "gap", "agent": "1", "first": 2, "last": 1}
        account = ledger(gap=gap, again={**EVENT, "epoch": 8})
        self.assertEqual((account.doubled, account.wrong), ([], []))

    def test_a_report_that_comes_twice_is_doubled(self) -> None:
        again = {**EVENT, "sequence": 2}
        self.assertIn("report b is at its agent 2 times", self.found(ledger(again=again), "wrong"))

    def test_a_sequence_that_is_used_twice_is_doubled(self) -> None:
        again = {"what": "came", "agent": "1", "epoch": 7, "sequence": 1, "content": 9}
        self.assertEqual(self.found(ledger(again=again)), ["event ('1', 7, 1) has 2 contents"])
        self.assertEqual(self.found(ledger(again={**again, "epoch": 8})), [])


class WrongTests(AccountCase):
    """What came to somebody it isn't for, or was never sent."""

    def test_what_comes_to_another_agent_is_wrong(self) -> None:
        self.assertEqual(len(self.found(ledger(event={**EVENT, "agent": "2"}), "lost")), 1)

    def test_what_nobody_reported_is_wrong(self) -> None:
        self.assertEqual(len(self.found(ledger(reporting=None))), 1)

    def test_another_reference_is_wrong(self) -> None:
        self.assertEqual(len(self.found(ledger(event={**EVENT, "reference": "customer 6"}))), 1)

    def test_the_data_of_another_call_is_wrong(self) -> None:
        for other in ({"token": "x", "reference": "customer 5"}, {"token": "a", "reference": "customer 6"}):
            self.assertEqual(len(self.found(ledger(fetched={"what": "fetched", "serial": "5", **other}))), 1)

    def test_a_repeat_that_is_taken_for_another_call_is_wrong(self) -> None:
        refused = {"what": "refused", "serial": "5", "status": 22}
        self.assertEqual(len(self.found(ledger(refused=refused))), 1)

    def test_an_event_behind_the_end_is_wrong(self) -> None:
        again = {**EVENT, "sequence": 2, "token": "", "condition": 10}
        self.assertEqual(len(self.found(ledger(again=again))), 1)
