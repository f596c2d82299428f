"""What may be asked for with a call, as methods: each sends one CallControl, and is done when that is answered 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctiex.call_messages import Action, CallControlReply, CallParty
from ctiex.fields import EMPTY, Fields

if TYPE_CHECKING:
    from ctiex.clients.call import ClientCall

ANSWER_WITHIN = 10.0
"""How long the exchange may take to answer that an action is begun, in seconds."""


class CallActions:
    """The actions on a call; ``ClientCall`` is all of it.

    Each raises CallError where the exchange refuses (60 to 67, docs/desk.rst says what to do then), LinkLost where the
    link is lost before the answer, or there is none: nothing is asked a second time, since it may have been done; and
    RequestTimedOut where no answer comes in time. What becomes of an action is told by events: ``until`` waits for one.
    """

    async def _control(self, action: Action, timeout: float, **words: Any) -> CallControlReply:
        """Ask for an action on this call."""
        raise NotImplementedError

    def _new_call(self, reply: CallControlReply) -> ClientCall:
        """The call that an action has brought about."""
        raise NotImplementedError

    # ------------------------------------------------------------ a call that rings

    async def answer(self, timeout: float = ANSWER_WITHIN) -> None:
        """Have the ringing phone answer; 62 where the platform can't."""
        await self._control(Action.ANSWER, timeout)

    async def reject(self, timeout: float = ANSWER_WITHIN) -> None:
        """Don't take the call that rings."""
        await self._control(Action.REJECT, timeout)

    async def deflect(self, destination: str, ring: int = 0, timeout: float = ANSWER_WITHIN) -> None:
        """Have the call that rings ring elsewhere.

        :param ring: how long the destination may ring, in seconds; 0: as the exchange is configured.
        """
        await self._control(Action.DEFLECT, timeout, destination=destination, seconds=ring)

    # ------------------------------------------------------------ hold and consultation

    async def hold(self, timeout: float = ANSWER_WITHIN) -> None:
        """Hold the other side, who hears music."""
        await self._control(Action.HOLD, timeout)

    async def retrieve(self, timeout: float = ANSWER_WITHIN) -> None:
        """Fetch the other side back from hold."""
        await self._control(Action.RETRIEVE, timeout)

    async def consult(
        self, destination: str, fields: Fields = EMPTY, ring: int = 0, timeout: float = ANSWER_WITHIN
    ) -> ClientCall:
        """Hold the other side, and call somebody about it: the consultation is a call of its own.

        :param fields: put over the data of this call, for the consultation.
        :param ring: how long the destination may ring, in seconds; 0: as the exchange is configured.
        """
        words = {"destination": destination, "fields": fields, "seconds": ring}
        return self._new_call(await self._control(Action.CONSULT, timeout, **words))

    async def alternate(self, timeout: float = ANSWER_WITHIN) -> None:
        """Hold who is talked with, and talk with who is held, in this call and its consultation."""
        await self._control(Action.ALTERNATE, timeout)

    async def reconnect(self, timeout: float = ANSWER_WITHIN) -> None:
        """End the consultation, also one that still rings, and go back to the call that it is for."""
        await self._control(Action.RECONNECT, timeout)

    # ------------------------------------------------------------ transfer and conference

    async def transfer(
        self,
        destination: str | None = None,
        fields: Fields = EMPTY,
        ring: int = 0,
        timeout: float = ANSWER_WITHIN,
    ) -> None:
        """Connect who is held with who was consulted; with a destination, send the other side there at once (blind).

        :param fields: with a destination, put over the data of the call.
        :param ring: with a destination, how long it may ring, in seconds; 0: as the exchange is configured.
        """
        if destination is None:
            await self._control(Action.TRANSFER, timeout)
        else:
            words = {"destination": destination, "fields": fields, "seconds": ring}
            await self._control(Action.BLIND_TRANSFER, timeout, **words)

    async def conference(self, timeout: float = ANSWER_WITHIN) -> None:
        """Bring who is held, who was consulted and the agent together."""
        await self._control(Action.CONFERENCE, timeout)

    async def add(self, destination: str, ring: int = 0, timeout: float = ANSWER_WITHIN) -> None:
        """Call somebody into the call, which is a conference from then on.

        :param ring: how long the destination may ring, in seconds; 0: as the exchange is configured.
        """
        await self._control(Action.ADD_PARTY, timeout, destination=destination, seconds=ring)

    async def drop(self, party: CallParty | str, timeout: float = ANSWER_WITHIN) -> None:
        """Take a party, or the one with this id, out of the conference."""
        await self._control(Action.DROP_PARTY, timeout, other=party if isinstance(party, str) else party.id)

    async def leave(self, timeout: float = ANSWER_WITHIN) -> None:
        """Leave the conference; the others go on."""
        await self._control(Action.LEAVE, timeout)

    async def clear(self, timeout: float = ANSWER_WITHIN) -> None:
        """End the call for everybody in it."""
        await self._control(Action.CLEAR, timeout)

    # ------------------------------------------------------------ digits, recording, marks

    async def digits(self, digits: str, timeout: float = ANSWER_WITHIN) -> None:
        """Have the other side hear these keys: 1 to 32 of ``0-9 * # A-D``."""
        await self._control(Action.DIGITS, timeout, value=digits)

    async def record(self, timeout: float = ANSWER_WITHIN) -> None:
        """Begin to record."""
        await self._control(Action.RECORD_START, timeout)

    async def pause(self, timeout: float = ANSWER_WITHIN) -> None:
        """Pause the recording, while a card number is said."""
        await self._control(Action.RECORD_PAUSE, timeout)

    async def resume(self, timeout: float = ANSWER_WITHIN) -> None:
        """Go on with the recording."""
        await self._control(Action.RECORD_RESUME, timeout)

    async def stop(self, timeout: float = ANSWER_WITHIN) -> None:
        """End the recording."""
        await self._control(Action.RECORD_STOP, timeout)

    async def mark(self, word: str, timeout: float = ANSWER_WITHIN) -> None:
        """Mark the call with a word of 1 to 64 bytes: it stands in the data as ``mark``."""
        await self._control(Action.MARK, timeout, value=word)

    # ------------------------------------------------------------ for supervisors

    async def listen(self, device: str, timeout: float = ANSWER_WITHIN) -> None:
        """Hear the call, for a supervisor of its agent.

        :param device: the supervisor's own agent number, at whose phone it rings.
        """
        await self._control(Action.LISTEN, timeout, value=device)

    async def whisper(self, device: str, timeout: float = ANSWER_WITHIN) -> None:
        """Hear the call, and be heard by its agent alone."""
        await self._control(Action.WHISPER, timeout, value=device)

    async def barge(self, device: str, timeout: float = ANSWER_WITHIN) -> None:
        """Hear the call, and be heard by everybody in it."""
        await self._control(Action.BARGE, timeout, value=device)

    async def intercept(self, device: str, timeout: float = ANSWER_WITHIN) -> None:
        """Take the customer over from the agent."""
        await self._control(Action.INTERCEPT, timeout, value=device)

    async def stop_supervision(self, device: str = "", timeout: float = ANSWER_WITHIN) -> None:
        """Hear the call no longer; without a device your only supervisor doesn't."""
        await self._control(Action.STOP_SUPERVISION, timeout, value=device)
