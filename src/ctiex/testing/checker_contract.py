"""What every checker of identities and secrets keeps to: mix :class:`CheckerContract` into a test case of your own."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ctiex.login.credentials import BindCredentials
from ctiex.messages import Role
from ctiex.testing.strategies import QUICK


class CheckerContract:
    """Tests of what :class:`ctiex.interfaces.ICheckerPlugin` builds, before a synchronous test case in the bases.

    Give ``make_checker``, and ``settle`` if an answer takes its time. The checker knows the identity ``name``, for
    ``role``, and its ``secret``.
    """

    name = "platform-1-agents"
    role = Role.AGENT
    secret = "open sesame"

    def make_checker(self) -> ICredentialsChecker:
        """The checker under test."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let everything that the checker waits for come about."""

    def _ask(self, checker: ICredentialsChecker, credentials: Any) -> object:
        """The avatar's name, or the error."""
        heard: list[object] = []
        asked: Deferred[Any] = maybeDeferred(checker.requestAvatarId, credentials)
        asked.addBoth(heard.append)
        self.settle()
        assert heard, "no answer: does settle() bring about what the checker waits for?"
        return heard[0].value if isinstance(heard[0], Failure) else heard[0]

    def _bind(self, name: str, secret: str, role: Role | None = None) -> BindCredentials:
        return BindCredentials(name.encode(), secret.encode(), "192.0.2.1", role or self.role)

    def test_it_provides_the_interface_and_takes_identity_and_secret(self) -> None:
        checker = self.make_checker()
        assert verifyObject(ICredentialsChecker, checker)
        assert IUsernamePassword in checker.credentialInterfaces

    def test_the_right_secret_gives_the_name_each_time(self) -> None:
        checker = self.make_checker()
        for _ in range(2):
            assert self._ask(checker, self._bind(self.name, self.secret)) == self.name.encode()
        # As any other program that uses twisted.cred asks.
        assert self._ask(checker, UsernamePassword(self.name.encode(), self.secret.encode())) == self.name.encode()

    def test_whoever_is_refused_is_refused_in_the_same_way(self) -> None:
        checker = self.make_checker()
        for name, secret, role in (
            (self.name, "mellon", None),
            ("nobody", self.secret, None),
            ("nobody", "mellon", None),
            ("", "", None),
            (self.name, "mellon", Role.SERVICE if self.role is Role.AGENT else Role.AGENT),
        ):
            answer = self._ask(checker, self._bind(name, secret, role))
            assert isinstance(answer, UnauthorizedLogin), f"found {answer!r} for {name!r}"
            assert secret == "" or secret not in str(answer), "the reason is for log and audit: no secret in it"

    def test_an_empty_secret_is_never_the_right_one(self) -> None:
        checker = self.make_checker()
        for name in (self.name, "", "nobody"):
            assert isinstance(self._ask(checker, self._bind(name, "")), UnauthorizedLogin)

    def test_a_wrong_guess_leaves_the_right_secret_right(self) -> None:
        checker = self.make_checker()
        for secret in ("mellon", self.secret, "mellon", self.secret):
            right = self._ask(checker, self._bind(self.name, secret)) == self.name.encode()
            assert right is (secret == self.secret)

    @given(st.binary(max_size=255), st.binary(max_size=255))
    @settings(QUICK, max_examples=50)
    def test_any_other_bytes_are_refused_and_nothing_else_comes_out(self, name: bytes, secret: bytes) -> None:
        if (name, secret) != (self.name.encode(), self.secret.encode()):
            checker = self.make_checker()
            answer = self._ask(checker, BindCredentials(name, secret, "192.0.2.1", self.role))
            assert isinstance(answer, UnauthorizedLogin), answer
