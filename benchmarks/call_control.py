"""What call control costs: an order over TCP, following the calls of a platform, and taking them up after a login.

Run by ``make bench-calls``; docs/performance.rst says what the figures mean. Exit code 1: one is beyond its limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from random import Random
from statistics import median, quantiles

from benchmarks import call_orders
from benchmarks.call_measures import PER_SECOND, Make, follow_asterisk, follow_simulated, middle, take_up

MOST_FOR_AN_ORDER = 0.010
"""The median of the time until an order is answered, in seconds."""
MOST_OF_A_CORE = 1.0
LONGEST_TURN = 0.050
"""Of the reactor, in seconds of the processor."""
_PLATFORMS: dict[str, Make] = {
    "simulated": follow_simulated,
    "Asterisk": follow_asterisk,
}


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.call_control", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each measure; medians count")
    parser.add_argument("--orders", type=int, default=400, help="of each round")
    parser.add_argument("--calls", type=int, default=2_000, help="that are under way")
    parser.add_argument("--agents", type=int, default=200, help="whom desks monitor, and whose calls change")
    parser.add_argument("--seconds", type=float, default=5.0, help="of the platform's time, in each round")
    parser.add_argument("--channels", default="1250,2500,5000,10000", help="that are taken up")
    return parser.parse_args(arguments)


def verdict(good: bool, limit: str) -> str:
    """The limit, and whether it is kept."""
    return f"{limit}: {'kept' if good else 'MISSED'}"


def late(times: Sequence[float]) -> float:
    """The time that one in twenty exceeds."""
    return quantiles(times, n=20, method="inclusive")[-1]


# ---------------------------------------------------------------- the measures


def orders(count: int, calls: int, rounds: int) -> bool:
    """Print what an order costs; whether that is within its limit."""
    found = [call_orders.measure(count, calls) for _ in range(rounds)]
    print(f"An order over TCP, HOLD and RETRIEVE in turns, {rounds} rounds of {count}, {calls:,} calls under way:")
    print(f"{'':<28}{'median, ms':>12}{'95 %, ms':>10}{'by the echo':>13}")
    echo = median(median(one.echoes) for one in found)
    for name in ("replies", "events", "echoes"):
        times: list[list[float]] = [getattr(one, name) for one in found]
        ratio = median(median(each) / median(one.echoes) for each, one in zip(times, found, strict=True))
        title = {"replies": "until the reply", "events": "until the event it causes", "echoes": "a bare echo"}[name]
        middling, most = median(map(median, times)), median(map(late, times))
        print(f"  {title:<26}{middling * 1e3:>12.3f}{most * 1e3:>10.3f}{ratio:>13.1f}")
    reply = median(median(one.replies) for one in found)
    good = reply <= MOST_FOR_AN_ORDER
    print(f"  {(reply - echo) * 1e3:.3f} ms beyond the echo; {verdict(good, 'a reply in at most 10 ms')}", flush=True)
    return good


def following(calls: int, monitored: int, seconds: float, rounds: int) -> bool:
    """Print what following calls costs; whether that is within its limit."""
    print(
        f"Following {calls:,} calls, {PER_SECOND} events of the platform a second, all of {monitored} monitored agents:"
    )
    print(f"{'':<28}{'of a core':>12}{'of it call control and links':>31}")
    good = True
    for name, make in _PLATFORMS.items():
        followed, random = make(calls, monitored), Random(1)
        shares = [followed.share(seconds, random) for _ in range(rounds)]
        whole, own = (median(each) for each in zip(*shares, strict=True))
        print(f"  {name:<26}{whole:>12.3f}{own:>31.3f}", flush=True)
        good = good and whole < MOST_OF_A_CORE
    print(f"  {verdict(good, 'less than a core')}", flush=True)
    return good


def taking_up(channels: Sequence[int], monitored: int, rounds: int) -> bool:
    """Print what taking calls up costs; whether that is within its limit."""
    print(f"Taking up the calls of an Asterisk after a login, {rounds} rounds:")
    print(f"{'  channels':<28}{'seconds':>12}{'us/channel':>12}{'longest turn, ms':>18}", flush=True)
    good = True
    for count in channels:
        found = middle([take_up(count, min(monitored, count // 2)) for _ in range(rounds)])
        each = found.seconds / count * 1e6
        print(f"  {count:<26,}{found.seconds:>12.2f}{each:>12.0f}{found.longest * 1e3:>18.1f}", flush=True)
        good = good and found.longest <= LONGEST_TURN
    print(f"  {verdict(good, 'no turn of the reactor beyond 50 ms')}", flush=True)
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 where a figure is beyond its limit."""
    chosen = options(arguments)
    good = [
        orders(chosen.orders, chosen.calls, chosen.rounds),
        following(chosen.calls, chosen.agents, chosen.seconds, chosen.rounds),
        taking_up([int(count) for count in chosen.channels.split(",")], chosen.agents, chosen.rounds),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
