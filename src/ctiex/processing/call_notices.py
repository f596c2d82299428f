"""Tells an agent's application of a call that has just come to the agent, before anybody asks for anything."""

from __future__ import annotations

from twisted.logger import Logger

from ctiex.errors import CodecError, FieldError, SerialError, Status
from ctiex.interfaces import Signalled
from ctiex.messages import Condition
from ctiex.processing.context import ProcessingContext
from ctiex.processing.mailboxes import arrival
from ctiex.records import Change

_log = Logger()


class CallNotices:
    """Gives each new talk a serial, under which the agent's application may have it connected to a service."""

    def __init__(self, context: ProcessingContext) -> None:
        self._context = context
        self._commits = context.commits

    def call_arrived(self, agent: str, calling_number: str) -> str:
        """The serial of the event of condition 0 that reports it; empty if it isn't reported.

        As for events 10 to 13, the agent has to be logged in, with room in the mailbox. The calling number
        comes from the network: whatever could be read as a serial in it is stripped.
        """
        context = self._context
        if not context.presence.is_here(agent) or not context.quotas.has_room(agent):
            return ""
        try:
            serial = self._context.new_serial(told=True)
            number = self._context.carrier.strip(Signalled(calling_number)).calling_number
            self._tell(agent, serial, number)
        except (SerialError, FieldError, CodecError) as error:
            _log.warn("agent {agent} isn't notified of a call: {reason}", agent=agent, reason=str(error))
            return ""
        except Exception as error:  # anybody's carrier; what it says may hold the number
            fault = type(error).__name__
            _log.warn(
                "agent {agent} isn't notified of a call: the carrier failed with {fault}", agent=agent, fault=fault
            )
            return ""
        return serial

    def _tell(self, agent: str, serial: str, number: str) -> None:
        """Keep the event; later, if the store doesn't take it now."""
        mailboxes = self._context.mailboxes
        event = mailboxes.compose(agent, serial, Condition.PROGRESS, Status.OK, arrival(number), about="")
        self._commits.commit(
            Change(events=(event,), metadata=mailboxes.metadata(agent, "")),
            lambda: mailboxes.committed(event),
            lambda: self._commits.again(serial, lambda: self._tell(agent, serial, number)),
        )
