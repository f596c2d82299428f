"""``ctiex agent`` at an exchange that controls calls: what it shows, and what is typed."""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.testing import StringTransport

from ctiex.app.commands.agent import InteractiveAgent, complete
from ctiex.app.commands.agent_calls import CALL_COMMANDS, USAGE, TerminalCalls
from ctiex.call_messages import Action, ConnectionState
from ctiex.clients import AgentNumber
from ctiex.clients.terminal import Terminal

from .desk_bench import CUSTOMER, OUTSIDE_BUSY, SUPERVISOR, DeskCase, together


class TerminalCase(DeskCase):
    """One agent at a terminal."""

    number, identity = "1001", "desk"

    def setUp(self) -> None:
        super().setUp()
        self.terminal, self.output = Terminal(), StringTransport()
        self.terminal.makeConnection(self.output)
        if self.identity != "desk":
            self.client, self.ends = self.new_client(self.identity)
        self.calls = TerminalCalls(self.client, self.number, self.terminal.say, ("pin",))
        self.agent: AgentNumber = self.login(
            self.number, on_call_event=self.calls.call_event, on_state=self.calls.state
        )
        self.running: Deferred[int] = ensureDeferred(InteractiveAgent(self.agent, self.terminal, self.calls).run())
        self.said()

    def said(self) -> list[str]:
        """What was written since."""
        lines = self.output.value().decode().splitlines()
        self.output.clear()
        return lines

    def type(self, *lines: str) -> list[str]:
        """What was written since these lines were typed."""
        self.output.clear()
        for line in lines:
            self.terminal.lineReceived(line.encode())
            self.exchange.pump()
        return self.said()


class CommandTests(TerminalCase):
    """The commands of an agent."""

    def test_a_call_is_shown_from_its_first_ring_to_its_end(self) -> None:
        call = self.talks()
        self.hangs_up(call)
        self.assertEqual(
            self.said(),
            [
                f"call 1 alerting: {CUSTOMER} (customer) connected; 1001 (you) alerting",
                "agent 1001 is reserved",
                f"call 1 established: {CUSTOMER} (customer) connected; 1001 (you) connected",
                "agent 1001 is busy",
                "call 1 party dropped (cause 16): 1001 (you) connected",
                "call 1 cleared (cause 16)",
                "agent 1001 is logged out",
            ],
        )

    def test_a_call_may_be_left_out_where_only_one_can_be_meant(self) -> None:
        self.rings()
        self.type("answer", "hold")
        self.assertIs(self.agent.calls[0].state, ConnectionState.HELD)
        self.type("retrieve 1", "consult 1002 order=4711")
        self.picks_up("1002")
        self.type("alternate", "alternate 1", "transfer")
        self.assertEqual(self.together(), together((CUSTOMER, "1002")))
        self.assertEqual(self.type("hold"), ["error: there is no call (hold [CALL])"])

    def test_two_calls_are_told_apart(self) -> None:
        self.board.devices["1001"].one_call = False
        self.talks()
        self.rings(number="13900139000")
        self.assertEqual(self.type("wait held"), ["error: which call? expected one of: 1, 2 (wait [CALL] CHANGE)"])
        self.type("reject")
        self.assertEqual([number for number, _ in self.calls.numbers], [1], "the one that may be rejected was meant")

    def test_a_transfer_is_blind_where_it_names_a_destination(self) -> None:
        self.talks()
        self.type("transfer 1002 why=bill")
        self.picks_up("1002")
        self.assertEqual(self.together(), together((CUSTOMER, "1002")))
        self.type("transfer 1 1002")

    def test_a_conference(self) -> None:
        self.talks()
        self.type("add 1002")
        self.picks_up("1002")
        self.assertEqual(self.together(), together((CUSTOMER, "1001", "1002")))
        [said] = self.type("drop 1009")
        self.assertTrue(said.startswith(f"error: no party '1009', expected one of: {CUSTOMER}, 100"), said)
        self.type("drop 1002", "clear")
        self.assertEqual(list(self.board.legs.all()), [])

    def test_what_is_made_and_fails_is_told(self) -> None:
        said = self.type(f"make {OUTSIDE_BUSY}")
        self.assertIn("call 1 is being made", said)
        self.picks_up("1001")
        self.assertIn("call 1 failed (busy)", "\n".join(self.said()))

    def test_digits_recordings_marks_and_data(self) -> None:
        call = self.talks()
        said = self.type(
            "digits 12#", "record", "record pause", "record stop", "mark vip", "data pin=4711 note=x", "data -mark"
        )
        self.assertEqual(self.platform.digits, [(call, "12#")])
        self.assertEqual([state.value for _, state, _ in self.platform.recorded], ["on", "paused", "off"])
        self.assertEqual(said[-1], "call 1 has data 3: pin=***, note=x")
        self.assertNotIn("4711", " ".join(said))
        expected = "error: no such thing as 'backwards', expected one of: start, pause, resume, stop"
        self.assertEqual(self.type("record backwards"), [expected])

    def test_states(self) -> None:
        said = self.type("login", "notready lunch", "ready", "acw", "logout")
        words = [line.partition(", ")[0] for line in said]
        self.assertEqual(
            words,
            ["agent 1001 is not ready", "agent 1001 is not ready (lunch)", "agent 1001 is ready",
             "agent 1001 is after call work", "agent 1001 is logged out"],
        )  # fmt: skip
        self.assertEqual(self.type("login sales"), ["error: status 65 (no such destination): no such queue"])
        self.assertEqual(self.type("acw"), ["error: status 61 (wrong state): the agent isn't logged in"])

    def test_what_is_not_allowed_says_what_is(self) -> None:
        self.rings()
        [said] = self.type("hold")
        self.assertEqual(said, "error: status 61 (wrong state): call 1 allows now: answer, reject, deflect")

    def test_words_that_are_no_command(self) -> None:
        self.talks()
        for typed, said in (
            ("holt", "unknown command 'holt': expected hold"),
            ("xyzzy", "unknown command 'xyzzy': expected one that help shows"),
            ("hold 7", "no call '7', expected one of: 1 (hold [CALL])"),
            ("consult", "too few words (consult [CALL] DESTINATION [NAME=TEXT ...])"),
            ("consult 1 2 3 4", "too many words (consult [CALL] DESTINATION [NAME=TEXT ...])"),
            ("wait for", "no change 'for', expected one of: queued, alerting, originated"),
            ("make", "expected make DESTINATION [NAME=TEXT ...]"),
            ("unmonitor 1002", "agent 1002 isn't followed, expected one of: nobody"),
            ("help nothing", "no command 'nothing', expected one of: connect, cancel, help"),
        ):
            self.assertTrue(self.type(typed)[0].startswith(f"error: {said}"), self.type(typed))

    def test_wait_is_for_scripts(self) -> None:
        self.talks()
        self.assertEqual(len(self.type("hold", "wait held")), 2)
        self.terminal.lineReceived(b"wait retrieved")
        self.hangs_up(self.agent.calls[0].id)
        self.assertIn("error: status 60 (no such call): the call is over", self.said())

    def test_a_call_is_handed_over(self) -> None:
        service = self.exchange.service()
        self.talks()
        serial = self.agent.calls[0].serial
        self.assertIn(f"call {serial} is stored", self.type("connect bill account=7"))
        self.assertEqual([one.calling_number for one in service.connections], [f"{CUSTOMER}**{serial}"])
        self.assertIn("is stored", self.type("connect bill 139 account=7")[0])
        self.assertEqual(len(service.connections), 2)

    def test_calls_lists_what_may_be_done(self) -> None:
        self.talks()
        said = self.type("calls")
        self.assertEqual(said[0], "agent 1001 is busy")
        self.assertTrue(said[2].startswith("  allows: hold, consult"), said)
        self.lose_link()
        self.assertIn("the link is lost", self.type("calls")[-1])

    def test_help_has_every_command(self) -> None:
        said = "\n".join(self.type("help"))
        for name, usage in USAGE.items():
            self.assertIn(f"{name} {usage}".rstrip(), said)
        self.assertEqual(self.type("help consult"), ["consult [CALL] DESTINATION [NAME=TEXT ...]"])

    def test_every_action_has_a_command(self) -> None:
        named = {command.action for command in CALL_COMMANDS.values()}
        others = {Action.MAKE, Action.BLIND_TRANSFER, Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT,
                  Action.STOP_SUPERVISION, Action.RECORD_START, Action.RECORD_PAUSE, Action.RECORD_RESUME,
                  Action.RECORD_STOP}  # fmt: skip
        self.assertEqual(named | others, {*Action, None})

    def test_commands_are_completed(self) -> None:
        self.assertEqual(complete("con"), ["connect", "consult", "conference"])
        self.assertEqual(complete("hold "), [])

    def test_an_escape_in_a_number_is_shown_as_one(self) -> None:
        self.rings(number="138\x1b[2J")
        self.assertIn("138\\u001b[2J (customer)", self.said()[0])


class LeadTests(TerminalCase):
    """A supervisor at a terminal."""

    number, identity = SUPERVISOR, "lead"

    def test_a_supervisor_follows_listens_and_takes_over(self) -> None:
        self.talks()
        said = self.type("monitor 1001")
        self.assertEqual(
            said,
            [
                "agent 1001 is busy",
                f"call 1 goes on: {CUSTOMER} (customer) connected; 1001 (agent) connected | of agent 1001",
            ],
        )
        self.assertEqual(self.type("monitor 1001"), ["error: agent 1001 is followed already"])
        self.type("listen")
        self.picks_up(SUPERVISOR)
        self.assertIn(f"{SUPERVISOR} (you)", "\n".join(self.said()))
        self.type("whisper", "barge", "intercept")
        self.assertEqual(self.together(), together((CUSTOMER, SUPERVISOR)))

    def test_a_number_is_followed_no_longer(self) -> None:
        self.type("monitor 1001", "unmonitor 1001")
        self.talks()
        self.assertEqual(self.said(), [])


class WithoutCallControlTests(TerminalCase):
    """At an exchange that controls no calls."""

    with_platform = False

    def test_it_says_so(self) -> None:
        self.assertEqual(
            self.type("calls"), ["the exchange tells of no calls now: it controls none, or the link is lost"]
        )
        self.assertEqual(self.type("make 1002"),
                         ["error: status 62 (not supported): the exchange has not granted call control"])  # fmt: skip
