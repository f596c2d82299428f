"""What the tests of notices to services share: sessions that come and go, and processes."""

from __future__ import annotations

from ctiex.fields import Fields
from ctiex.messages import CallEnded, Condition, DataChanged
from ctiex.processing.service_notices import ServiceNotices
from ctiex.testing.fakes import FakeServiceSession

from .processing_bench import _OTHERS, _SERVICES, Bench

ENDED, CHANGED = CallEnded("007", Condition.CANCELLED), DataChanged("007")
BONN, ROME = Fields({"area": "Bonn"}), Fields({"area": "Rome"})


def notices_of(bench: Bench) -> ServiceNotices:
    return bench.processing._calls._notices


def binds(
    bench: Bench, answers: bool = True, *, updates: bool = True, identity: str = "services"
) -> FakeServiceSession:
    """One more session; it answers what it is told unless it says nothing."""
    features = ("updates",) if updates else ()
    session = FakeServiceSession(identity, answers_notices=answers, features=features)
    bench.exchange.sessions.add(session, _SERVICES if identity == "services" else _OTHERS)
    return session


def goes(bench: Bench, session: FakeServiceSession) -> None:
    """The link of a session ends."""
    bench.exchange.sessions.remove(session)
    session.die()


def restarted(bench: Bench) -> Bench:
    """Another process with its store, in which no service is bound."""
    bench.processing.stop()
    return Bench(bench.store, bench.clock, bound=False)
