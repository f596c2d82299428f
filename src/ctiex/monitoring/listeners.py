"""Who listens to an exchange."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ctiex.limits import Limits
from ctiex.monitoring.audit_events import Audit
from ctiex.monitoring.audit_trail import AuditTrail
from ctiex.monitoring.counters import CounterListener, Counters
from ctiex.monitoring.event_log import EventLog
from ctiex.monitoring.observer import Observer, Observers
from ctiex.monitoring.refusals import Refusals


def observers(clock: IReactorTime, limits: Limits, counters: Counters, audit: Audit | None) -> Observers:
    """The counters, the log, and an audit if there is one."""
    listeners: list[Observer] = [CounterListener(counters), EventLog(clock)]
    if audit is not None:
        listeners.append(AuditTrail(audit, clock, Refusals(limits, counters)))
    return Observers(listeners)
