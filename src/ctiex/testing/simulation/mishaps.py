"""What goes wrong in a world, and how its people go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ctiex.fields import Fields
from ctiex.records import CallState
from ctiex.testing.simulation.agents import AgentApplication
from ctiex.testing.simulation.cast import Cast
from ctiex.testing.simulation.exchange import AGENTS, SERVICES
from ctiex.testing.simulation.faults import Fault, Troubles
from ctiex.testing.simulation.ledger import Loss
from ctiex.testing.simulation.telephones import Place
from ctiex.testing.simulation.witness import told

CLOCK_WITHIN = 300_000
"""How far the wall clock may go, in seconds: between powers of two sums of times and whole seconds are exact."""

_NOT_WELL_THEN = 0.6
"""Behind how many losses of the store more goes wrong at once."""


class Mishaps(Cast):
    """The half of a :class:`ctiex.testing.simulation.world.World` to which things happen."""

    def _use_serials_again_at(self, application: AgentApplication) -> None:
        for number in application.wanted:
            self.use_serials_again(number)

    def use_serials_again(self, number: str) -> None:
        """An agent's application uses serials again that the exchange has forgotten; the agent hasn't heard yet."""
        for serial in self._serials_to_use_again(number):
            self.ledger.happened("serial used again")
            self.ledger.uses[serial] += 1
            use = f"{serial} ({self.ledger.uses[serial] + 1})"
            self.platform.use_again(serial)
            self._hand_over(serial, number, self.dice.choice(list(SERVICES)), Fields({"account": use}), use)

    def _serials_to_use_again(self, number: str) -> list[str]:
        """Those of calls whose ends still wait in the agent's mailbox, and that are forgotten otherwise."""
        exchange, disk = self.exchange.running, self.disk
        if exchange is None:
            return []
        asked = {serial for application in self.applications for serial in application.outbox}
        ended = [serial for serial, condition in map(told, disk.events.get(number, {}).values()) if condition.final]
        return [
            serial
            for serial in dict.fromkeys(ended)
            if serial.startswith("9") and not (serial in asked or serial in disk.calls or exchange.store.get(serial))
        ]

    def _some_serial(self, at: int) -> str:
        """The serial of one of the last customers; empty when there is none."""
        recent = [serial for serial in self._serials[-40:] if serial]
        return recent[at % len(recent)] if recent else ""

    # ------------------------------------------------------------ what goes wrong

    def cut(self, at: int) -> None:
        """Cut one of the connections."""
        if self.network.open:
            self.ledger.happened("connection cut")
            self.network.cut(self.network.open[at % len(self.network.open)])

    def stall(self, at: int, seconds: float) -> None:
        """One direction of a connection carries nothing for a while."""
        if self.network.open:
            self.ledger.happened("connection stalled")
            end = self.network.open[at // 2 % len(self.network.open)]
            self.network.stall(end if at % 2 else end.peer, seconds)

    def crash_exchange(self, down: float) -> None:
        """The exchange loses everything that isn't on the disk, and is back after a while."""
        if not self.exchange.knows_the_clock:
            return  # the one moment in which it can't know what was done to the wall clock
        self.ledger.happened("exchange crashed")
        self.exchange.crash()
        self._later(down, self.exchange.start)

    def leave_exchange(self, down: float) -> None:
        """The exchange is told to leave, and is back after a while."""
        if not self.exchange.knows_the_clock:
            return  # its store may take nothing more
        self.ledger.happened("exchange told to leave")
        self.exchange.leave(lambda: self._later(down, self.exchange.start))

    def back_up(self) -> None:
        """A copy of the store is put aside."""
        self.disk.back_up(self.clock.now)

    def restore(self, down: float) -> None:
        """The exchange is stopped, a backup of its store is put in place, and it is started again."""
        if self.disk.backup is not None and self.exchange.backup_knows_the_clock:
            self.ledger.happened("backup restored")
            self._lose(self.disk.restore, down)

    def forget(self, down: float) -> None:
        """The exchange dies, and its store has forgotten everything when it is back."""
        if self.exchange.knows_the_clock:
            self.ledger.happened("store forgot everything")
            self._lose(self.disk.forget, down)

    def _lose(self, lose: Callable[[], float], down: float) -> None:
        self.exchange.crash()
        since = lose()
        self.ledger.losses.append(Loss(since, self.clock.now))
        self.witness.store_lost(since)
        self._later(down, self.exchange.start)
        if self.dice.random() < _NOT_WELL_THEN:
            self._not_well(down)

    def _not_well(self, begins: float) -> None:
        """What comes with a loss: a disk that takes nothing at first, and an exchange that dies again soon."""
        if Fault.STORE in self.faults:
            self._later(begins, partial(self.fill_disk, self.dice.uniform(0.1, 1.5)))
        if Fault.CRASH in self.faults:
            self._later(begins + self.dice.uniform(2.0, 6.0), partial(self.crash_exchange, 0.0))

    def fill_disk(self, seconds: float) -> None:
        """Nothing can be written for a while."""
        self.ledger.happened("disk full")
        self.disk.failing = True
        self._later(seconds, lambda: setattr(self.disk, "failing", False))

    def slow_disk(self, seconds: float) -> None:
        """Each group takes up to so long, for a while."""
        self.ledger.happened("disk slow")
        self.disk.slow = seconds
        self._later(20.0, lambda: setattr(self.disk, "slow", 0.0))

    def trouble_store(self, troubles: Troubles) -> None:
        """From now on each single change may fare badly."""
        self.disk.troubles = troubles

    def pause(self, seconds: float) -> None:
        """Everything stands still."""
        self.ledger.happened("everything stood still")
        self.clock.pause(seconds)

    def set_clock(self, seconds: int) -> None:
        """The wall clock is set back or forward; an exchange that starts from now on begins with it."""
        if seconds > 0 and not self.exchange.sees_the_clock:
            return  # nobody is there to know
        if abs(self.clock.wall_ahead + seconds) <= CLOCK_WITHIN:
            self.ledger.happened("wall clock set")
            self.clock.wall_ahead += seconds

    def speak_late(self, word: str, at: int) -> None:
        """A signalling driver says something about a call that has ended."""
        exchange, serial = self.exchange.running, self._some_serial(at)
        sessions = None if exchange is None else exchange.sessions.of_identity("ivr-b")
        if exchange is None or not sessions or not serial or not self.witness.custody.is_over(serial):
            return
        call = exchange.store.get(serial)
        if call is not None and call.state is not CallState.CLOSED:
            return  # it isn't kept yet
        self.ledger.happened("driver spoke of an ended call")
        more = {"offered": (sessions[0], lambda: None), "refused": (sessions[0], 32), "unreachable": (31,)}
        getattr(exchange.processing.listener, word)(serial, *more.get(word, ()))

    def crash_service(self, at: int, down: float) -> None:
        """A service's process dies; the new one knows nothing."""
        self.ledger.happened("service crashed")
        self.services[at].crash()
        self._later(down, self.services[at].start)

    def stop_service(self, at: int, down: float) -> None:
        """A service says goodbye; another process takes its place."""
        self.ledger.happened("service stopped")
        self.services[at].stop()

        def replace() -> None:
            self.services[at].crash()
            self.services[at].start()

        self._later(down, replace)

    def probe(self, at: int, serial: int) -> None:
        """A service asks for a call that may not be its own."""
        if self._some_serial(serial):
            self.services[at].probe(self._some_serial(serial))

    def hang_up(self, at: int) -> None:
        """A customer hangs up, and the signalling driver sees it."""
        serial = self._some_serial(at)
        place = self.platform.hang_up(serial)
        if place is not None:
            self.ledger.happened("customer hung up")
            if place is not Place.WITH_AGENT and self.exchange.running is not None:  # else the next one finds it out
                self.witness.owe_end(serial, "the customer has hung up")
        elif self.exchange.running is not None and serial:
            self.ledger.happened("customer hung up")
            self.witness.watched(self.exchange.running.processing.listener).hung_up(serial)

    def crash_agent(self, at: int, down: float) -> None:
        """An application dies; the next process resumes behind what was taken."""
        self.ledger.happened("agent's application crashed")
        application = self.applications[at]
        application.crash()

        def start_again() -> None:
            application.start()
            self._use_serials_again_at(application)

        self._later(down, start_again)

    def busy(self, at: int, seconds: float) -> None:
        """An application takes no events for a while; before that is over it uses serials again."""
        self.ledger.happened("agent's application busy")
        application = self.applications[at]
        application.busy(seconds)
        self._later(0.9 * seconds, lambda: self._use_serials_again_at(application))

    def take_over(self, at: int) -> None:
        """An agent logs in at the other application of the same platform."""
        self.ledger.happened("agent number taken over")
        number = AGENTS["platform-1"][at]
        old, new = self.applications[0], self.applications[2]
        if number in new.wanted:
            old, new = new, old
        old.let_go(number)
        new.take(number)

    def away(self, at: int, seconds: float) -> None:
        """An agent goes away for a while."""
        self.ledger.happened("agent away")
        number = list(self.ledger.books)[at]
        home = self._holder(number)
        home.leave(number)

        def back() -> None:
            if not any(number in application.wanted for application in self.applications):
                home.take(number)
                self.use_serials_again(number)

        self._later(seconds, back)

    def cancel(self, at: int) -> None:
        """An agent takes a call back."""
        serial = self._some_serial(at)
        if serial:
            self._cancel(serial)

    def query(self, at: int) -> None:
        """An application asks which calls of an agent are open."""
        number = list(self.ledger.books)[at]
        self._holder(number).ask_for_open_calls(number)

    def _update(self, serial: str) -> None:
        """An agent corrects what is known of a customer: a field that was there, and one that wasn't."""
        self.ledger.counts["updates asked"] += 1
        number, count = self.ledger.requests[serial].agent, self.ledger.counts["updates asked"]
        self._holder(number).update(number, serial, Fields({"vip": count, f"note {count % 3}": f"update {count}"}))

    def _cancel(self, serial: str) -> None:
        self.ledger.happened("call cancelled")
        number = self.ledger.requests[serial].agent
        self._holder(number).cancel(number, serial)
