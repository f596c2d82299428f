"""The checkers: identity and secret, certificates, and the portal in front of the identities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ctiex.errors import CheckBusy, ConfigurationError
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import IBindCredentials, ICertificateCredentials, ICheckerPlugin, IIdentity
from ctiex.login.checkers import CertificateChecker, ConfiguredChecker, canonical_name
from ctiex.login.credentials import (
    BindCredentials,
    CertificateCredentials,
    IdentityRealm,
    KnownIdentity,
    checker_context,
    make_portal,
)
from ctiex.messages import Role
from ctiex.plugins import build_plugin, find_plugin
from ctiex.settings import NoSettings
from ctiex.testing.checker_contract import CheckerContract

from .checking import Threads, cheaply_hashed
from .effort import examples

AGENTS = Identity("agents", Role.AGENT, AgentNumbers.parse(["*"]))
OTHERS = Identity("others", Role.AGENT, AgentNumbers.parse(["*"]))
IVR = Identity("ivr", Role.SERVICE, services=frozenset({"bill"}))
BY_CERTIFICATE = Identity("by-certificate", Role.SERVICE)
MIXED = [
    KnownIdentity(AGENTS, cheaply_hashed("right")),
    KnownIdentity(OTHERS, cheaply_hashed("different", b"pepper")),
    KnownIdentity(IVR, "in clear"),
    KnownIdentity(BY_CERTIFICATE, certificate="platform-2.example.net"),
]
CLEAR = [KnownIdentity(AGENTS, "right"), KnownIdentity(IVR, "in clear")]


class HashedContract(CheckerContract, SynchronousTestCase):
    """The built-in checker over a hashed secret."""

    def make_checker(self) -> ICredentialsChecker:
        identity = Identity(self.name, self.role)
        context = checker_context([KnownIdentity(identity, cheaply_hashed(self.secret)), KnownIdentity(IVR, "x")])
        return ConfiguredChecker(context.secrets, context.identities, execute)


class ClearContract(CheckerContract, SynchronousTestCase):
    """The built-in checker over a secret in plain text, which hashes nothing."""

    def make_checker(self) -> ICredentialsChecker:
        context = checker_context([KnownIdentity(Identity(self.name, self.role), self.secret)])
        return ConfiguredChecker(context.secrets, context.identities, execute)


class LateContract(CheckerContract, SynchronousTestCase):
    """The built-in checker, answering later."""

    def make_checker(self) -> ICredentialsChecker:
        self.threads = Threads()
        context = checker_context([KnownIdentity(Identity(self.name, self.role), cheaply_hashed(self.secret))])
        return ConfiguredChecker(context.secrets, context.identities, self.threads)

    def settle(self) -> None:
        self.threads.finish()


class ConfiguredCase(SynchronousTestCase):
    """The built-in checker, with threads that run when told."""

    def setUp(self) -> None:
        self.make(MIXED)

    def make(self, known: list[KnownIdentity]) -> None:
        self.threads = Threads()
        context = checker_context(known)
        self.checker = ConfiguredChecker(context.secrets, context.identities, self.threads)

    def ask(self, name: str, secret: str, role: Role | None = Role.AGENT, source: str = "x") -> Deferred[Any]:
        return self.checker.requestAvatarId(BindCredentials(name.encode(), secret.encode(), source, role))

    def answer(self, name: str, secret: str, role: Role | None = Role.AGENT) -> object:
        """Name or error, with every hashing done."""
        asked = self.ask(name, secret, role)
        self.threads.finish()
        heard: list[object] = []
        asked.addBoth(heard.append)
        (got,) = heard
        return type(got.value) if isinstance(got, Failure) else got


class WorkTests(ConfiguredCase):
    """What a check costs. Counted in hashings, since time on a shared machine tells nothing."""

    def test_a_right_secret_is_hashed_beside_the_reactor_and_once_alone(self) -> None:
        asked = self.ask("agents", "right")
        self.assertNoResult(asked)
        self.threads.finish()
        self.assertEqual(self.successResultOf(asked), b"agents")
        for _ in range(1_000):
            self.assertEqual(self.successResultOf(self.ask("agents", "right")), b"agents")
        self.assertEqual(self.threads.begun, 1)

    @given(
        st.sampled_from(["agents", "others", "ivr", "by-certificate", "nobody", "", "\ud800"]) | st.text(max_size=10),
        st.sampled_from(["right", "different", "in clear", ""]) | st.text(max_size=10),
        st.sampled_from([Role.AGENT, Role.SERVICE, None]),
        st.booleans(),
    )
    @settings(deadline=None, max_examples=examples(200))
    def test_whoever_is_not_let_in_has_cost_one_hashing(
        self, name: str, secret: str, role: Role | None, known: bool
    ) -> None:
        self.make(MIXED)
        if known:
            self.assertEqual(self.answer("agents", "right"), b"agents")
            self.threads.begun = 0
        asked = self.checker.requestAvatarId(
            BindCredentials(name.encode(errors="surrogatepass"), secret.encode(errors="surrogatepass"), "x", role)
        )
        self.threads.finish()
        heard: list[Any] = []
        asked.addBoth(heard.append)
        identity = {"agents": AGENTS, "others": OTHERS, "ivr": IVR}.get(name)
        right = (name, secret) in {("agents", "right"), ("others", "different"), ("ivr", "in clear")}
        self.assertEqual(isinstance(heard[0], Failure), not right)
        if not right or identity is None or identity.role is not role:
            self.assertEqual(self.threads.begun, 1, "an unknown identity, a wrong secret, a wrong role: all the same")

    def test_a_wrong_guess_at_a_secret_in_clear_costs_a_hashing_too_where_others_are_hashed(self) -> None:
        for name in ("ivr", "by-certificate", "nobody"):
            before = self.threads.begun
            self.assertIs(self.answer(name, "wrong", Role.SERVICE), UnauthorizedLogin)
            self.assertEqual(self.threads.begun, before + 1)
        self.assertEqual(self.answer("ivr", "in clear", Role.SERVICE), b"ivr")

    def test_with_secrets_in_clear_alone_nothing_is_hashed_for_anyone(self) -> None:
        self.make(CLEAR)
        for name, secret in (("agents", "wrong"), ("nobody", "right"), ("ivr", "right")):
            self.assertIs(self.answer(name, secret), UnauthorizedLogin)
        self.assertEqual(self.answer("agents", "right"), b"agents")
        self.assertEqual(self.threads.begun, 0)

    def test_a_name_without_a_hash_is_hashed_against_the_same_one_each_time(self) -> None:
        stands_in = [self.checker._stand_in(name) for name in (b"nobody", b"ivr", b"someone") for _ in range(3)]
        self.assertEqual([len({hash_.salt for hash_ in stands_in[at : at + 3]}) for at in (0, 3, 6)], [1, 1, 1])
        salts = {self.checker._stand_in(b"%d" % number).salt for number in range(100)}
        self.assertEqual(len(salts), 2, "and any of the parameters may be met, as with names that are known")

    def test_a_secret_that_is_right_for_the_stand_in_lets_nobody_in(self) -> None:
        for secret in ("right", "different"):
            for name in ("nobody", "by-certificate", "ivr"):
                self.assertIs(self.answer(name, secret, Role.SERVICE), UnauthorizedLogin)

    def test_a_wrong_secret_leaves_the_right_one_remembered(self) -> None:
        self.answer("agents", "right")
        for _ in range(2):
            self.assertIs(self.answer("agents", "wrong"), UnauthorizedLogin)
        self.assertEqual(self.threads.begun, 3)
        self.assertEqual(self.successResultOf(self.ask("agents", "right")), b"agents")

    def test_checks_of_the_same_secret_at_the_same_time_share_one_hashing_whatever_their_role(self) -> None:
        wrong, *rest = [self.ask("agents", "right", role) for role in (Role.SERVICE, *[Role.AGENT] * 50)]
        self.threads.finish()
        self.assertEqual({self.successResultOf(one) for one in [wrong, *rest]}, {b"agents"})
        self.assertEqual(self.threads.begun, 1)

    def test_the_hash_of_an_empty_secret_opens_nothing(self) -> None:
        self.make([KnownIdentity(AGENTS, cheaply_hashed(""))])
        self.assertIs(self.answer("agents", ""), UnauthorizedLogin)

    def test_nothing_of_a_secret_shows(self) -> None:
        self.answer("agents", "right")
        shown = repr(self.checker) + repr(MIXED) + repr(checker_context(MIXED))
        for part in ("right", "in clear", "salt=", "digest="):
            self.assertNotIn(part, shown)
        self.assertNotIn("sesame", repr(BindCredentials(b"agents", b"sesame")))


class PluginTests(SynchronousTestCase):
    """The built-in checker as a plugin."""

    def test_it_is_found_by_name_and_opens_nothing(self) -> None:
        plugin = find_plugin(ICheckerPlugin, "configured")
        self.assertTrue(verifyObject(ICheckerPlugin, plugin))
        self.assertTrue(verifyObject(ICredentialsChecker, plugin.build(NoSettings(), checker_context(MIXED, None))))

    def test_it_takes_no_settings(self) -> None:
        context = checker_context([])
        error = self.assertRaises(ConfigurationError, build_plugin, ICheckerPlugin, "configured", {"url": ""}, context)
        self.assertEqual(str(error), "url: found an unknown key, expected none")


class CertificateTests(SynchronousTestCase):
    """An identity from the names in a certificate."""

    def setUp(self) -> None:
        self.checker = CertificateChecker(
            {"platform-1.example.net": "one", "platform-2.example.net": "two", "spiffe://site/A": "uri"}
        )

    def ask(self, *names: str, identity: str = "") -> object:
        asked = self.checker.requestAvatarId(CertificateCredentials(names, identity))
        heard: list[object] = []
        asked.addBoth(heard.append)
        return type(heard[0].value) if isinstance(heard[0], Failure) else heard[0]

    def test_a_name_belongs_to_its_identity_whether_the_bind_names_it_or_not(self) -> None:
        self.assertTrue(verifyObject(ICredentialsChecker, self.checker))
        for identity in ("", "one"):
            self.assertEqual(self.ask("platform-1.example.net", identity=identity), b"one")
        self.assertEqual(self.ask("unheard-of.example.net", "platform-1.example.net"), b"one")

    def test_names_of_nobody_of_two_or_of_another_are_refused(self) -> None:
        self.assertIs(self.ask("unheard-of.example.net"), UnauthorizedLogin)
        self.assertIs(self.ask(), UnauthorizedLogin)
        self.assertIs(self.ask("platform-1.example.net", "platform-2.example.net"), UnauthorizedLogin)
        both = ("platform-1.example.net", "platform-2.example.net")
        self.assertIs(self.ask(*both, identity="one"), UnauthorizedLogin)
        self.assertIs(self.ask("platform-1.example.net", identity="two"), UnauthorizedLogin)
        self.assertIs(self.ask("platform-1.example.net", identity="one "), UnauthorizedLogin)

    def test_case_matters_in_a_uri_and_not_in_a_dns_name(self) -> None:
        self.assertEqual(self.ask("Platform-1.EXAMPLE.net"), b"one")
        self.assertEqual(self.ask("spiffe://site/A"), b"uri")
        self.assertIs(self.ask("spiffe://site/a"), UnauthorizedLogin)

    @given(*[st.text(st.sampled_from("kKsSiI\u212a\u017f\u0131\u0130.-1²"))] * 2)
    @settings(deadline=None)
    def test_only_letters_of_ascii_are_the_same_in_both_cases(self, one: str, other: str) -> None:
        same = one.encode().lower() == other.encode().lower()  # which changes nothing but ASCII
        self.assertEqual(canonical_name(one) == canonical_name(other), same)

    def test_a_letter_that_only_looks_alike_opens_nothing(self) -> None:
        checker = CertificateChecker({"desk.example": "desk"})
        for name in ("des\u212a.example", "de\u017fk.example"):
            self.failureResultOf(checker.requestAvatarId(CertificateCredentials((name,), "")), UnauthorizedLogin)

    def test_a_wildcard_in_a_certificate_stands_for_itself_alone(self) -> None:
        self.assertIs(self.ask("*.example.net"), UnauthorizedLogin)

    @given(st.text())
    @settings(deadline=None)
    def test_a_name_for_comparing_stays_what_it_is(self, name: str) -> None:
        self.assertEqual(canonical_name(canonical_name(name)), canonical_name(name))


class RealmTests(SynchronousTestCase):
    """From a checked name to an identity."""

    def setUp(self) -> None:
        self.realm = IdentityRealm({"agents": AGENTS, "ivr": IVR})

    def test_the_avatar_is_the_identity(self) -> None:
        self.assertTrue(verifyObject(IRealm, self.realm))
        interface, avatar, logout = self.realm.requestAvatar(b"ivr", None, IIdentity)
        self.assertIs(interface, IIdentity)
        self.assertIs(avatar, IVR)
        logout()

    def test_a_name_that_the_configuration_does_not_have_is_nobody(self) -> None:
        for name in (b"stranger", b"", b"\xff", ()):
            if name != b"\xff":
                self.assertRaises(UnauthorizedLogin, self.realm.requestAvatar, name, None, IIdentity)
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, b"ivr", None, ICertificateCredentials)

    def test_the_portal_takes_secrets_and_certificates(self) -> None:
        portal = make_portal(MIXED, ConfiguredChecker({"ivr": "in clear"}, {"ivr": IVR}, execute))
        for credentials, identity in (
            (BindCredentials(b"ivr", b"in clear", "x", Role.SERVICE), IVR),
            (UsernamePassword(b"ivr", b"in clear"), IVR),
            (CertificateCredentials(("platform-2.example.net",)), BY_CERTIFICATE),
        ):
            self.assertIs(self.successResultOf(portal.login(credentials, None, IIdentity))[1], identity)
        for nobody in (BindCredentials(b"ivr", b"no"), CertificateCredentials(("x",))):
            self.failureResultOf(portal.login(nobody, None, IIdentity), UnauthorizedLogin)

    def test_someone_whom_another_checker_knows_still_has_to_be_configured(self) -> None:
        class Generous:
            credentialInterfaces = (IBindCredentials,)

            def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
                return succeed(credentials.username)

        portal = make_portal([KnownIdentity(IVR)], Generous())  # type: ignore[arg-type]
        login = portal.login(BindCredentials(b"ivr", b"whatever"), None, IIdentity)
        self.assertIs(self.successResultOf(login)[1], IVR)
        stranger = portal.login(BindCredentials(b"root", b"whatever"), None, IIdentity)
        self.failureResultOf(stranger, UnauthorizedLogin)

    def test_credentials_provide_what_they_say(self) -> None:
        self.assertTrue(verifyObject(IBindCredentials, BindCredentials(b"a", b"b")))
        self.assertTrue(verifyObject(IUsernamePassword, BindCredentials(b"a", b"b")))
        self.assertTrue(verifyObject(ICertificateCredentials, CertificateCredentials(("a",))))


class ThreadTests(TestCase):
    """The built-in plugin with a real reactor and its threads."""

    async def test_the_reactors_threads_hash(self) -> None:
        context = checker_context([KnownIdentity(AGENTS, cheaply_hashed("right"))], reactor)
        checker = build_plugin(ICheckerPlugin, "configured", {}, context)
        self.assertEqual(await checker.requestAvatarId(UsernamePassword(b"agents", b"right")), b"agents")
        with self.assertRaises(UnauthorizedLogin):
            await checker.requestAvatarId(UsernamePassword(b"agents", b"wrong"))


class SameThreadReactor:
    """Runs in this thread what is handed to another one."""

    def getThreadPool(self) -> SameThreadReactor:
        return self

    def callInThreadWithCallback(self, told: Callable[[bool, Any], None], work: Callable[..., Any], *args: Any) -> None:
        try:
            result = work(*args)
        except Exception:
            told(False, Failure())
        else:
            told(True, result)

    def callFromThread(self, work: Callable[..., Any], *args: Any) -> None:
        work(*args)


EXAMPLE = run_path(str(Path(__file__).resolve().parent.parent / "docs" / "examples" / "file_checker.py"))


class ExampleContract(CheckerContract, SynchronousTestCase):
    """The checker that the documentation shows."""

    def make_checker(self) -> ICredentialsChecker:
        path = Path(self.mktemp())
        path.write_text(f"{self.name}:{cheaply_hashed(self.secret).format()}\nother:{cheaply_hashed('x').format()}\n")
        made: ICredentialsChecker = EXAMPLE["FileChecker"](path, SameThreadReactor(), cheaply_hashed("nobody's"))
        return made

    def test_it_is_built_by_its_plugin(self) -> None:
        plugin = EXAMPLE["file_checker"]
        self.assertTrue(verifyObject(ICheckerPlugin, plugin))
        built = plugin.build(plugin.settings(path="x"), checker_context([]))
        self.assertTrue(verifyObject(ICredentialsChecker, built))

    def test_what_nobody_waits_for_is_not_begun(self) -> None:
        asked = BindCredentials(self.name.encode(), self.secret.encode(), wanted=lambda: False)
        self.assertIsInstance(self._ask(self.make_checker(), asked), CheckBusy)
