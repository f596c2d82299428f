"""Calls, transfers, holds, hand-offs, cuts, restarts and slow commits in any order, with Asterisk's driver.

What happens is drawn by whoever walks: hypothesis, which shrinks it, or a seed. ``python -m tests.asterisk_walk COUNT``
walks so many long ones, each by the seed of its number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from random import Random

from tests.asterisk_world import World
from tests.fake_platform import Leg

_AGENTS = ("1001", "1002", "1003")
_WIRE = ("perform", "hear", "take_up", "connect", "cut", "cut done", "restart", "slow store", "kept")
_CALLS = (
    "call", "call", "transfer", "take away", "pass on hold", "told serial", "told serial", "stale serial",
    "own serial", "no serial", "answer", "refuse", "finish", "withdraw", "customer hangs up", "agent hangs up",
    "next customer", "other device", "hangs up midway",
)  # fmt: skip
_THEN = ("", "settle", "settle", "settle", "connect")
OPS = (len(_WIRE) + 2 * len(_CALLS)) * len(_AGENTS) * 8 * len(_THEN)
"""What happens, to whom, and whether everything has time to settle behind it is one number below this: that is drawn
quickly."""


def _read(op: int) -> tuple[str, str, int, str]:
    op, then = divmod(op, len(_THEN))
    op, which = divmod(op, 8)
    op, agent = divmod(op, len(_AGENTS))
    return (_CALLS * 2 + _WIRE)[op], _AGENTS[agent], which, _THEN[then]


class Walk:
    """One random walk; every customer has a number of their own."""

    def __init__(self) -> None:
        self.world = World()
        self.platform = self.world.platform
        self.customers: list[Leg] = []
        self.meant: dict[str, set[str]] = {}
        """By serials that nobody was told: the number of the customer who is meant, where it is known who is there."""
        self.offered: list[tuple[str, str, str]] = []
        """Serial, agent, calling number."""
        self.withdrawn: dict[str, int] = {}
        """With how much was told of them by then."""
        for agent in _AGENTS[:2]:
            self.do("call", agent, 0)
        self.world.connect()
        self.world.settle()

    def go(self, ops: Iterable[int]) -> None:
        """All of this happens, one after the other, until everybody has hung up; what was promised is held.

        :raise AssertionError: a promise is broken.
        """
        for op, agent, which, then in map(_read, ops):
            self.do(op, agent, which)
            if then:
                getattr(self.world, then)()
        self.end()
        self.check()

    def do(self, op: str, agent: str, which: int) -> None:
        """One thing happens."""
        customer = self.customers[which % len(self.customers)] if self.customers else None
        match op:
            case "perform" | "hear" | "take_up" | "connect" | "cut":
                getattr(self.world, op)()
            case "cut done":
                self.world.cut(done=True)
            case "restart":
                self._restart()
            case "slow store":
                self.world.listener.keeps = False
            case "kept":
                self._keep()
            case "call":
                self.customers.append(self.platform.call(agent, f"9{len(self.customers)}"))
            case "told serial" | "stale serial" | "own serial" | "no serial":
                self._offer(op, agent, which)
            case "withdraw" if self.offered:
                self._withdraw(self.offered[which % len(self.offered)][0])
            case _ if customer is not None:
                self._do_with(op, customer, agent)

    def _do_with(self, op: str, customer: Leg, agent: str) -> None:
        platform = self.platform
        held = platform.legs.get(customer.variables.get("CTIEX_AGENT_CHANNEL", ""))
        match op:
            case "transfer":
                platform.transfer(customer, agent)
            case "next customer":
                self._serve_next(customer)
            case "other device" if customer.place == "talk" and not self._moves():
                self._use_another_device(customer)
            case "hangs up midway":
                customer.leaves_midway = True
            case "take away" if customer.name in platform.legs and customer.place == "served":
                platform.take_away(customer, agent)
            case "pass on hold" if held is not None and held.place == "hold":
                platform.pass_on_hold(held, agent)
            case "agent hangs up":
                for other in platform.others_in(customer) if customer.place == "talk" else [held]:
                    if other is not None:
                        platform.hang_up(other)
            case "customer hangs up":
                platform.hang_up(customer)
            case "refuse":
                platform.refuse(customer, "BUSY")
            case "answer" | "finish":
                getattr(platform, op)(customer)

    def _hear(self) -> None:
        """What has happened is known: a move that crosses it on the wire couldn't be stopped by anybody."""
        while self.world.hear():
            pass

    def _keep(self) -> None:
        """The store has kept what it was given."""
        self._hear()
        self.world.listener.keeps = True
        writes, self.world.listener.writes = self.world.listener.writes, []
        for write in writes:
            write()

    def _serve_next(self, customer: Leg) -> None:
        """The agent of a customer who is to wait takes the next one, with the same channel."""
        self._hear()
        others = self.platform.others_in(customer)
        if customer.place == "talk" and others and not self._moves():
            self.platform.let_wait(customer)
            self.customers.append(self.platform.take_next(others[0], f"9{len(self.customers)}"))
            self._hear()

    def _moves(self) -> bool:
        """Whether the platform was asked to move anybody, which nothing stops any more."""
        return any(name == "Redirect" for name, _, _ in self.world.client.asked)

    def _use_another_device(self, customer: Leg) -> None:
        """The agent goes on with the customer on another device, and takes the next one on the first."""
        for first in self.platform.others_in(customer):
            agent = first.name.partition("/")[2].partition("-")[0]
            self.platform.hand_on(customer, agent)
            self.customers.append(self.platform.take_next(first, f"9{len(self.customers)}"))
        self._hear()

    def _offer(self, op: str, agent: str, which: int) -> None:
        with_agent = self._context(agent)
        number = with_agent[which % len(with_agent)].number if with_agent else "none"
        told = [
            serial for serial, whose in self.world.listener.names.items() if op == "stale serial" or whose == number
        ]
        match op:
            case "own serial":
                serial = str(len(self.offered) + 1)
            case "no serial":
                serial = self.world.listener.asked_without()
            case _ if told:
                serial = told[which % len(told)]
            case _:
                return
        if any(serial == other for other, _, _ in self.offered):
            return  # the processing service takes a serial once
        self.offered.append((serial, agent, number))
        if not self.world.client.connected or not (self.world._told or self.world.client.asked):
            self.meant[serial] = {number}
        self.world.offer(serial, agent, number=number)

    def _context(self, agent: str) -> list[Leg]:
        """Customers who talk with an agent, or for whom the agent is held."""
        own = [leg for name, leg in self.platform.legs.items() if f"/{agent}-" in name]
        talking = [other for leg in own for other in self.platform.others_in(leg) if other in self.customers]
        names = {leg.name for leg in own}
        return talking + [one for one in self.customers if one.name in self.platform.legs and one not in talking
                          and one.variables.get("CTIEX_AGENT_CHANNEL") in names]  # fmt: skip

    def _withdraw(self, serial: str) -> None:
        self.world.driver.withdraw(serial)
        self.withdrawn.setdefault(serial, len(self.world.listener.of(serial)))

    def _restart(self) -> None:
        """Another exchange takes up what isn't closed, from a store that kept everything."""
        self.world.cut()
        self.world.listener.writes.clear()
        self.world.start()
        for serial, agent, number in self.offered:
            if serial in self.withdrawn or self.world.ends(serial):
                continue
            if "accepted" in self.world.listener.of(serial):
                self.world.driver.resume(serial, agent)
            else:
                self.world.offer(serial, agent, number=number, resumed=True)

    def end(self) -> None:
        """Every service comes to an end, and everybody hangs up."""
        self._keep()
        for _ in range(10):
            self.world.connect()
            self.world.settle()
            for leg in list(self.platform.legs.values()):
                self.platform.refuse(leg, "NOANSWER")
                self.platform.finish(leg)
                if leg.place == "waits":
                    self.platform.hang_up(leg)
        self.world.settle()

    def check(self) -> None:
        """What is promised."""
        listener, names = self.world.listener, self.world.listener.names
        for serial, moved in self.platform.moved.items():
            assert len(moved) == 1, f"{serial} moved {moved}"
            if serial in names:
                assert moved == {names[serial]}, f"{serial} names {names[serial]} and moved {moved}"
            elif serial in self.meant:
                assert moved <= self.meant[serial], f"{serial} means {self.meant[serial]} and moved {moved}"
        for serial, told in self.withdrawn.items():
            assert len(listener.of(serial)) == told, f"{serial} had ended, and {listener.of(serial)} was told"
        for serial, _, _ in self.offered:
            ends = self.world.ends(serial)
            assert len(ends) == 1 or (not ends and serial in self.withdrawn), f"{serial} has the ends {ends}"
        assert self.platform.lost() == []
        for leg in list(self.platform.legs.values()):
            self.platform.hang_up(leg)
        self.world.settle()
        assert (len(self.world.driver), self.world.clock.getDelayedCalls()) == (0, [])


_LONG = 150
"""Operations of a long walk."""


def main(count: int) -> int:
    """Long walks; 1 when a promise was broken in one of them."""
    broken = 0
    for seed in range(1, count + 1):
        dice = Random(seed)
        try:
            Walk().go([dice.randrange(OPS) for _ in range(_LONG)])
        except AssertionError as error:
            broken += 1
            print(f"BROKEN in walk {seed}: {error}", flush=True)
    print(f"walks {count:,} of {_LONG} operations each, broken {broken}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
