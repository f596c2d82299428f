"""The agent's client gets in, message by message: failed handshakes, logins, logouts, with an exchange by hand."""

from __future__ import annotations

from OpenSSL.SSL import Error as SSLError
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from ctiex.clients import AgentClient
from ctiex.errors import CallError, RequestTimedOut, Status, TlsRefused
from ctiex.messages import KIND_OF, AgentLogin, AgentLoginReply, AgentLogout, Bind, Error

from .hand_exchange import EPOCH, AgentCase, LineCase, event


class TlsRefusedTests(LineCase):
    """A handshake that fails: told at the first attempt, lived through later."""

    def setUp(self) -> None:
        super().setUp()
        self.client = AgentClient(self.clock, self.account)
        self.addCleanup(self.client.stopService)

    def refuse(self, why: str = "certificate verify failed") -> None:
        pair = self.line.pairs[-1]
        pair.open = False
        pair.first.connectionLost(Failure(SSLError([("SSL routines", "", why)])))

    def test_a_login_before_the_first_link_fails_at_once(self) -> None:
        self.line.answers[Bind] = lambda _: None
        self.client.startService()
        login = self.begin(self.client.login("1001"))
        self.refuse()
        self.assertIn("TLS refused: the peer's certificate", str(self.failureResultOf(login, TlsRefused).value))

    def test_an_exchange_that_only_went_away_meanwhile_is_tried_again(self) -> None:
        answer, self.line.answers[Bind] = self.line.answers[Bind], lambda _: None
        self.client.startService()
        login = self.begin(self.client.login("1001"))
        self.refuse("unexpected eof while reading")
        self.line.answers[Bind] = answer
        self.pass_time(1)
        self.assertEqual(self.successResultOf(login).number, "1001")

    def test_once_a_link_was_bound_the_client_goes_on_trying(self) -> None:
        self.client.startService()
        agent = self.now(self.client.login("1001"))
        answer, self.line.answers[Bind] = self.line.answers[Bind], lambda _: None
        self.lose_link()
        asked = self.begin(agent.connect("bill", "138", serial="5"))
        self.pass_time(1)
        self.refuse()
        self.assertNoResult(asked)
        self.line.answers[Bind] = answer
        self.pass_time(5)
        self.assertEqual(self.successResultOf(asked).serial, "5")

    def test_a_client_that_stops_meanwhile_says_nothing(self) -> None:
        self.line.answers[Bind] = lambda _: None
        self.client.startService()
        self.line.pump()
        with capturedLogs() as logged:
            self.client.stopService()
        self.assertEqual([formatEvent(said) for said in logged if said["log_namespace"].startswith("ctiex")], [])


class LoginTests(AgentCase):
    """A login ends well, or leaves nothing behind."""

    def test_a_cancelled_login_is_taken_back(self) -> None:
        del self.line.answers[AgentLogin]
        login = self.begin(self.client.login("1001"))
        login.cancel()
        self.line.pump()
        self.failureResultOf(login, CancelledError)
        self.assertEqual(self.line.link.said, [AgentLogin("1001"), AgentLogout("1001")])
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(len(self.line.links), 2)
        self.assertEqual(self.line.link.said, [])

    def test_a_login_that_times_out_is_taken_back(self) -> None:
        del self.line.answers[AgentLogin]
        login = self.begin(self.client.login("1001", timeout=15))
        self.pass_time(14)
        self.assertNoResult(login)
        self.pass_time(2)
        self.failureResultOf(login, RequestTimedOut)
        self.assertEqual(self.line.link.every(AgentLogout), [AgentLogout("1001")])

    def test_a_link_lost_during_a_login_is_no_end_of_it(self) -> None:
        login = self.line.answers.pop(AgentLogin)
        logging_in = self.begin(self.client.login("1001"))
        self.line.answers[AgentLogin] = login
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.successResultOf(logging_in).number, "1001")

    def test_the_one_before_is_told_once_the_new_login_stands(self) -> None:
        told: list[str] = []
        before = self.login(on_taken_over=lambda: told.append("taken over"))
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.TOO_BUSY)
        self.failureResultOf(self.begin(self.client.login("1001")), CallError)
        self.assertEqual((told, before.taken_over), ([], False))
        self.send(event(1))
        self.assertEqual(before.last_sequence, 1)
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.OK, EPOCH, 2, 1)
        self.login()
        self.assertEqual((told, before.taken_over), (["taken over"], True))


class LogoutTests(AgentCase):
    """A logout ends the login that it was meant for, and no other."""

    def test_a_lost_link_has_logged_it_out(self) -> None:
        del self.line.answers[AgentLogout]
        leaving = self.begin(self.login().logout())
        self.lose_link()
        self.successResultOf(leaving)
        self.pass_time(2)
        self.login()
        self.assertEqual(self.order_said(AgentLogin, AgentLogout), ["AgentLogin"])

    def test_it_holds_while_the_number_is_logged_in_again(self) -> None:
        agent = self.login()
        del self.line.answers[AgentLogin]
        self.lose_link()
        self.pass_time(2)
        self.now(agent.logout())
        invoke_id = next(found for found, said in self.line.link.received if isinstance(said, AgentLogin))
        self.line.link.send(AgentLoginReply(Status.OK, EPOCH, 1, 0), invoke_id)
        self.line.pump()
        self.assertEqual(self.order_said(AgentLogin, AgentLogout), ["AgentLogin", "AgentLogout"])


class LoginAgainTests(AgentCase):
    """After a lost link every number logs in again by itself."""

    def again_with(self, status: Status) -> None:
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(status)
        self.lose_link()
        self.pass_time(2)

    def test_why_it_is_refused_is_told(self) -> None:
        told: list[CallError] = []
        agent = self.login(on_refused=told.append)
        waiting = self.begin(self.now(agent.connect("bill", "138")).result())
        self.again_with(Status.NOT_ALLOWED_HERE)
        self.assertIs(self.failureResultOf(waiting, CallError).value.status, Status.NOT_ALLOWED_HERE)
        self.assertEqual(([error.status for error in told], agent.taken_over), ([Status.NOT_ALLOWED_HERE], False))

    def test_taken_over_is_told_as_such(self) -> None:
        agent = self.login()
        self.again_with(Status.SESSION_TAKEN_OVER)
        self.assertTrue(agent.taken_over)

    def test_an_exchange_that_is_busy_or_leaves_is_tried_again(self) -> None:
        for status in (Status.TOO_BUSY, Status.GOING_AWAY):
            agent = self.login(number=str(int(status)))
            login = self.line.answers[AgentLogin]
            self.again_with(status)
            self.assertGreaterEqual(len(self.line.links), 3)
            self.line.answers[AgentLogin] = login
            self.pass_time(30)
            self.assertIsNone(agent.ended)
            self.now(agent.connect("bill", "138"))

    def test_an_error_13_ends_the_number(self) -> None:
        agent = self.login()
        self.send(Error(Status.SESSION_TAKEN_OVER, KIND_OF[AgentLogin], "1001"))
        self.assertTrue(agent.taken_over)
