"""The orders of call control, as ``calls.conf`` carries them out."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from ctiex.errors import RequestTimedOut
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    DestinationKind,
    Function,
    ILegs,
    Leg,
    LegPlace,
    LegState,
    RecordingState,
    Supervision,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.asterisk import call_actions as acts
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.asterisk.ami import AmiError, AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.legs import AsteriskLegs
from ctiex.telephony.asterisk.settings import AsteriskSettings


class AsteriskCallOrders:
    """What an Asterisk does with legs when it is asked."""

    _settings: AsteriskSettings
    _legs: AsteriskLegs
    _client: Any

    @property
    def legs(self) -> ILegs:
        """The legs."""
        return self._legs.legs

    @property
    def functions(self) -> Function:
        """What it can do beyond moving legs."""
        can = Function.DIGITS | Function.RECORDING | Function.SUPERVISION | Function.CONFERENCE | Function.QUEUES
        return can | Function.ANSWER if self._settings.answer_by_notify else can

    # ------------------------------------------------------------ moving legs

    def part(self, leg: Leg, desk: Leg) -> Deferred[None]:
        """Put the one on hold, and the agent's in its desk."""
        if desk.at_desk:  # it falls back by itself
            return self.hold(leg, desk)
        both = acts.redirect_both(leg.id, acts.HELD, desk.id, acts.DESK)
        return self._put(both, {leg: {"CTIEX_DESK": desk.id}, desk: self._holds(leg, desk)})

    def hold(self, leg: Leg, desk: Leg) -> Deferred[None]:
        """Put a leg on hold."""
        held = acts.redirect(leg.id, acts.HELD)
        return self._put(held, {leg: {"CTIEX_DESK": desk.id}}, {desk: self._holds(leg, desk)})

    def _holds(self, leg: Leg, desk: Leg) -> dict[str, str]:
        others = [one for one in self._legs.legs.for_desk(desk.id) if one is not leg]
        return {"CTIEX_HOLDS": "&".join(self._legs.name_of(one.id) for one in (*others, leg))}

    def connect(self, leg: Leg, other: Leg) -> Deferred[None]:
        """Connect a leg with another one."""
        others_there = [one for one in self._legs.legs.in_bridge(other.bridge) if one not in (leg, other)]
        if other.at_desk and other.place is LegPlace.BRIDGE and others_there:
            return fail(OrderRefused("the agent talks with somebody, who would be left in silence: hold them first"))
        desk, name_of = other.id if other.at_desk else "", self._legs.name_of
        others: dict[Leg, dict[str, str]] = (
            {} if other.at_desk else {other: {"CTIEX_DESK": "", "CTIEX_WITH": name_of(leg.id)}}
        )
        peer = {"CTIEX_PEER": name_of(other.id), "CTIEX_DESK": desk}
        return self._put(acts.redirect(leg.id, acts.CONNECT), {leg: peer}, others)

    def confer(self, legs: tuple[Leg, ...], conference: str) -> Deferred[None]:
        """Put legs into a conference."""
        context, variables = acts.CONFER, {"CTIEX_CONFERENCE": conference, "CTIEX_DESK": ""}
        try:
            acts.name(conference)
            first, *more = legs
        except (OrderRefused, ValueError):
            return fail(OrderRefused("one or two legs go into a conference with a name"))
        order = acts.redirect(first.id, context)
        if more:
            order = acts.redirect_both(first.id, context, more[0].id, context)
        return self._put(order, {leg: variables for leg in legs})

    def send(self, leg: Leg, destination: CallDestination, seconds: float) -> Deferred[None]:
        """Have a leg call a destination."""
        extension, where = destination.name, {"CTIEX_RING": str(max(1, round(seconds))), "CTIEX_DESK": ""}
        try:
            if destination.kind is DestinationKind.QUEUE:
                extension, where["CTIEX_GOTO"] = "queue", acts.queue_place(destination.name, self._settings)
            else:
                where["CTIEX_DIAL"] = acts.dial(destination, self._settings)
        except OrderRefused:
            return fail()
        return self._put(acts.redirect(leg.id, acts.SEND, extension), {leg: where})

    def fall_back(self, leg: Leg) -> Deferred[None]:
        """Send a leg to the fallback."""
        return self._put(acts.redirect(leg.id, acts.ASTRAY), {leg: {"CTIEX_DESK": ""}})

    def to_desk(self, leg: Leg) -> Deferred[None]:
        """Put an agent's leg in its desk."""
        return self._put(acts.redirect(leg.id, acts.DESK), {leg: {}})

    def _put(
        self,
        order: Action,
        moved: dict[Leg, dict[str, str]],
        others: dict[Leg, dict[str, str]] | None = None,
    ) -> Deferred[None]:
        """Set variables of legs, and move some.

        :param moved: the legs that are moved, with what the dialplan has to know of each beside what it always has to.
        :param others: what other legs remember.
        """
        if any(leg.outbound and leg.state is not LegState.CONNECTED for leg in moved):
            return fail(OrderRefused("a device that rings can't be moved: its caller would lose it"))
        before = {leg: leg.desk for leg in (*moved, *(others or {}))}
        for leg, variables in [*moved.items(), *(others or {}).items()]:
            self._tell_leg(leg, variables, leg in moved)
        return self._order(order).addErrback(self._not_put, before)

    def _not_put(self, failure: Failure, before: dict[Leg, str]) -> Failure:
        """Where nothing was moved, everybody is for whom they were."""
        if failure.check(OrderRefused):
            for leg, desk in before.items():
                if leg.desk != desk:
                    self._tell_leg(leg, {"CTIEX_DESK": desk}, False)
        return failure

    def _tell_leg(self, leg: Leg, variables: dict[str, str], moved: bool) -> None:
        if "CTIEX_DESK" in variables:
            self._legs.change(leg.id, desk=variables["CTIEX_DESK"])
            variables = {**variables, "CTIEX_DESK_CHANNEL": self._legs.name_of(variables["CTIEX_DESK"])}
        told = {**acts.facts_of(leg, self._settings), "CTIEX_CALLED": "", **variables} if moved else variables
        for action in acts.set_variables(leg.id, self._legs.news(leg.id, told)):
            self._ask(action)

    # ------------------------------------------------------------ legs that come and go

    def call(self, out: CallOut) -> Deferred[None]:
        """Call a device."""
        try:
            action = acts.call(out, self._settings, self._legs.name_of)
        except OrderRefused:
            return fail()
        self._legs.called[out.id] = out

        def refused(failure: Failure) -> Failure:
            if failure.check(OrderRefused):
                self._legs.called.pop(out.id, None)
            return failure

        return self._order(action).addErrback(refused)

    def hang_up(self, leg: Leg, cause: int = 16) -> Deferred[None]:
        """End a leg."""

        def is_gone(failure: Failure) -> None:
            failure.trap(OrderRefused)

        return self._order(acts.hang_up(leg.id, cause)).addErrback(is_gone)

    def answer(self, leg: Leg) -> Deferred[None]:
        """Have a ringing phone answer."""
        if not self._settings.answer_by_notify:
            return fail(OrderRefused("answering by NOTIFY isn't switched on"))
        try:
            return self._order(acts.answer(leg, self._settings))
        except OrderRefused:
            return fail()

    def tag(self, leg: Leg, call: str) -> Deferred[None]:
        """Have a leg belong to another call."""
        try:
            acts.name(call)
        except OrderRefused:
            return fail()
        self._legs.news(leg.id, {"__CTIEX_CALL": call})
        (action,) = acts.set_variables(leg.id, {"__CTIEX_CALL": call})
        return self._order(action).addCallback(lambda _: self._legs.change(leg.id, call=call))

    # ------------------------------------------------------------ what else is done with a leg

    def send_digits(self, leg: Leg, digits: str) -> Deferred[None]:
        """Send digits."""
        try:
            return self._order(acts.digits(leg.id, digits))
        except OrderRefused:
            return fail()

    def record(self, leg: Leg, state: RecordingState, name: str) -> Deferred[None]:
        """Record, pause, go on, or stop."""
        try:
            action = acts.record(leg.id, name)
        except OrderRefused:
            return fail()
        recorders = self._legs.recorders_of(leg.id)
        paused = state is RecordingState.PAUSED
        self._tell_leg(leg, {"CTIEX_RECORDING": "paused" if paused else ""}, False)
        if state is RecordingState.ON:
            return self._order(action)
        (self._legs.paused.add if paused else self._legs.paused.discard)(leg.id)
        if not recorders:
            self._legs.change(leg.id, recording=state)
            return succeed(None)
        self._ask(*[acts.hang_up(one, 16) for one in recorders[1:]])
        return self._order(acts.hang_up(recorders[0], 16))

    def supervise(self, leg: Leg, how: Supervision) -> Deferred[None]:
        """Change how a supervisor's leg takes part."""
        self._tell_leg(leg, {"CTIEX_SUPERVISION": acts.SUPERVISIONS[how]}, False)
        ordered = self._order(acts.redirect(leg.id, acts.SUPERVISE))
        return ordered.addCallback(lambda _: self._legs.change(leg.id, supervision=how))

    # ------------------------------------------------------------ asking

    def _order(self, action: Action) -> Deferred[None]:
        """Ask for something."""
        return self._act(action).addCallbacks(lambda _: None, self._not_ordered)

    def _not_ordered(self, failure: Failure) -> Failure:
        if failure.check(ActionRefused, AmiError):
            return Failure(OrderRefused(failure.getErrorMessage()))
        if failure.check(RequestTimedOut):
            self._client.reconnect("it didn't say whether it has done something")
        return failure

    def _act(self, action: Action) -> Deferred[AmiMessage]:
        raise NotImplementedError

    def _ask(self, *asked: Action) -> None:
        raise NotImplementedError
