"""The benchmarks count every answer and let no wrong one pass; what they print follows from what was measured."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import tomllib
import xml.dom.minidom
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import contenders, histogram, work
from benchmarks.compiling import compiled, compiler
from benchmarks.configurations import configuration
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.filling import fill
from benchmarks.generator import Generator, WrongAnswer
from benchmarks.goals import Goal, goals
from benchmarks.machine import ROOT, processor_seconds
from benchmarks.page import write
from benchmarks.results import Results
from benchmarks.shots import Sample, ratio, summary
from benchmarks.work import Dialogue
from ctiex.config.reading import parse

from .waiting import PATIENCE, until

_SERIALS = [work.serial_of(number) for number in range(7)]
_IN_C = (str(compiled("load")),) if compiler() else None
_IN_PYTHON = (sys.executable, str(ROOT / "benchmarks" / "python_load.py"))


@pytest.fixture(params=[_IN_C, _IN_PYTHON], ids=["C", "Python"])
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Either load generator."""
    if request.param is None:
        pytest.skip("there is no C compiler")
    made: tuple[str, ...] = request.param
    return made


class Answering:
    """A server in a thread: cuts what comes into requests of one size, and answers each by what a function gives."""

    def __init__(self, size: int, answer: Callable[[bytes], bytes], piece: int = 1 << 20) -> None:
        self._size, self._answer, self._piece = size, answer, piece
        self.requests = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        unread = b""
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while data := link.recv(65_536):
                unread += data
                while len(unread) >= self._size:
                    request, unread = unread[: self._size], unread[self._size :]
                    self.requests += 1
                    answer = self._answer(request)
                    for at in range(0, len(answer), self._piece):
                        link.sendall(answer[at : at + self._piece])
        except OSError:
            pass
        finally:
            link.close()

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., Answering]]:
    """Makes servers, and ends them."""
    made: list[Answering] = []

    def serve(*arguments: object, **more: object) -> Answering:
        made.append(Answering(*arguments, **more))  # type: ignore[arg-type]
        return made[-1]

    yield serve
    for server in made:
        server.close()


def _http_answer(request: bytes) -> bytes:
    body = b'{"fields": {}, "serial": "' + request.split(b" ")[1].rpartition(b"/")[2] + b'"}'
    return b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-LENGTH: %d\r\n\r\n" % len(body) + body


def _redis_answer(request: bytes) -> bytes:
    return work.redis_answer(request.split(b":")[1].strip().decode())


def _line_answer(request: bytes) -> bytes:
    return b"ok " + request + b"\n"


def _result(request: bytes) -> bytes:
    frame = work.result_of(request[13:33].decode())
    return frame[:8] + request[8:12] + frame[12:]


_PROTOCOLS: dict[str, tuple[Dialogue, Callable[[bytes], bytes]]] = {
    "fixed": (work.echo(), lambda request: b"x" * work.ANSWER_SIZE),
    "length32": (work.data_requests(_SERIALS), _result),
    "http": (work.http(_SERIALS), _http_answer),
    "resp": (work.redis(_SERIALS), _redis_answer),
    "line": (Dialogue((b"1234", b"5678"), "line", 8, ((0, b"ok "),), ((3, 0, 4),)), _line_answer),
}


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize("piece", [1 << 20, 13])
def test_every_answer_is_counted_however_it_is_split(
    command: tuple[str, ...], serving: Callable[..., Answering], protocol: str, piece: int
) -> None:
    dialogue, answer = _PROTOCOLS[protocol]
    server = serving(len(dialogue.requests[0]), answer, piece)
    generator = Generator(dialogue, server.port, 3, 4, command)
    first, second = generator.run(0.05), generator.run(0.05)
    generator.close()
    assert first.answers >= 12
    assert second.answers >= 12
    assert first.answers + second.answers == server.requests
    assert first.seconds > 0


def test_paced_requests_are_sent_when_they_are_due_and_timed(
    command: tuple[str, ...], serving: Callable[..., Answering]
) -> None:
    server = serving(work.REQUEST_SIZE, lambda request: b"x" * work.ANSWER_SIZE)
    generator = Generator(work.echo(), server.port, 4, 1, command)
    shot = generator.run(0.2, 500)
    generator.close()
    assert shot.answers == server.requests == 100
    assert sum(count for _, count in shot.latency) == 100
    assert 0 < histogram.quantile(shot.latency, 0.5) < shot.seconds


def test_a_counter_makes_each_request_another_one(command: tuple[str, ...], serving: Callable[..., Answering]) -> None:
    seen: list[bytes] = []
    server = serving(12, lambda request: seen.append(request) or b"ok")
    dialogue = Dialogue((b"head" + bytes(8),), "fixed 2", counter=4)
    generator = Generator(dialogue, server.port, 1, 3, command)
    generator.run(0.02)
    generator.close()
    assert len(set(seen)) == len(seen) >= 3
    assert {request[:4] for request in seen} == {b"head"}


def test_a_ping_of_the_exchange_is_answered_and_is_no_answer(
    command: tuple[str, ...], serving: Callable[..., Answering]
) -> None:
    request, ping, pong = (bytes.fromhex(f"00000008 01{kind:02x}0000 000000ff") for kind in (0x22, 5, 6))
    seen: list[bytes] = []

    def answer(frame: bytes) -> bytes:
        seen.append(frame)
        return b"" if frame == pong else b"\0\0\0\1." + (ping if len(seen) == 1 else b"")

    server = serving(len(request), answer)
    generator = Generator(Dialogue((request,), "length32", 5, heartbeat=True), server.port, 1, 1, command)
    assert generator.run(0.05).answers == len(seen) - 1
    generator.close()
    assert seen.count(pong) == 1


# ---------------------------------------------------------------- checking


_WRONG = {
    "the wrong size": (work.echo(), lambda request: b"x" * (work.ANSWER_SIZE + 1)),
    "expected bytes": (work.echo(), lambda request: b"y" * work.ANSWER_SIZE),
    "match its request": (work.data_requests(_SERIALS), lambda request: work.result_of(_SERIALS[0])),
    "nobody asked for": (work.echo(), lambda request: b"x" * 3 * work.ANSWER_SIZE),
    "Content-Length": (work.http(_SERIALS), lambda request: b"HTTP/1.1 200 OK\r\n\r\n"),
}


@pytest.mark.parametrize("fault", _WRONG)
def test_a_wrong_answer_ends_the_run(command: tuple[str, ...], serving: Callable[..., Answering], fault: str) -> None:
    dialogue, answer = _WRONG[fault]
    if fault == "the wrong size":  # with a fixed size it would be the next answer that is wrong
        dialogue = evolve(dialogue, framing="line", size=9)
        answer = lambda request: b"xxxx\n"  # noqa: E731
    server = serving(len(dialogue.requests[0]), answer)
    generator = Generator(dialogue, server.port, 1, 2, command)
    with pytest.raises(WrongAnswer, match=fault):
        generator.run(1)
    generator.close()


def test_a_server_that_goes_away_ends_the_run(command: tuple[str, ...], serving: Callable[..., Answering]) -> None:
    def vanish(request: bytes) -> bytes:
        raise OSError

    generator = Generator(work.echo(), serving(work.REQUEST_SIZE, vanish).port, 1, 1, command)
    with pytest.raises(WrongAnswer, match=r"closed a connection|reset"):
        generator.run(1)
    generator.close()


def test_a_bind_that_is_refused_opens_nothing(command: tuple[str, ...], serving: Callable[..., Answering]) -> None:
    dialogue = contenders.service_dialogue(_SERIALS)
    refused = bytes.fromhex("0000000a 01020000 00000001 000b")
    server = serving(len(dialogue.prologue), lambda bind: refused)
    with pytest.raises(WrongAnswer, match="expected bytes"):
        Generator(dialogue, server.port, 1, 1, command)


# ---------------------------------------------------------------- against real servers


@pytest.mark.gate
def test_the_exchange_and_the_echo_are_measured(tmp_path: Path, command: tuple[str, ...]) -> None:
    exchange = ExchangeProcess(tmp_path / "exchange", configuration())
    try:
        fill(exchange, 0, len(_SERIALS))
        dialogue = contenders.service_dialogue(_SERIALS)
        generator = Generator(dialogue, exchange.service_port, 2, 2, command)
        before = exchange.processor_seconds()
        assert generator.run(0.1).answers >= 4
        assert exchange.processor_seconds() > before
        generator.close()
        unknown = contenders.service_dialogue([work.serial_of(99)])
        generator = Generator(unknown, exchange.service_port, 1, 1, command)
        with pytest.raises(WrongAnswer):
            generator.run(1)
        generator.close()
    finally:
        exchange.stop()


def test_the_echo_answers_what_the_exchange_would(tmp_path: Path) -> None:
    with contenders.running(tmp_path, [contenders.ECHO]) as ([echo], missing):
        generator = Generator(echo.dialogue, echo.port, 3, 5)
        assert generator.run(0.05).answers >= 15
        generator.close()
        assert processor_seconds(echo.server.pid) > 0
    assert not missing
    assert work.REQUEST_SIZE == 40
    assert work.ANSWER_SIZE == len(work.result_of(_SERIALS[3]))


def test_a_server_that_cannot_be_had_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with contenders.running(tmp_path, ["redis", "c-echo"]) as (running, missing):
        assert running == []
    assert set(missing) == {"redis", "c-echo"}
    assert "apt-get install redis-server" in capsys.readouterr().out


def test_every_limit_of_the_exchange_is_still_on() -> None:
    tables = tomllib.loads(configuration("sqlite"))
    parsed = parse(tables)
    assert parsed.metrics.listen
    assert parsed.store.kind == "sqlite"
    assert set(tables["limits"]) < set(dir(parsed.limits))


# ---------------------------------------------------------------- figures


def test_the_processor_time_of_a_process_holds_all_its_threads() -> None:
    def work_hard() -> None:
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass
        worked.wait(PATIENCE)

    worked = threading.Event()
    counted, true = processor_seconds(os.getpid()), time.process_time()
    threads = [threading.Thread(target=work_hard) for _ in range(2)]
    for thread in threads:
        thread.start()
    while time.process_time() < true + 0.2:
        time.sleep(0.01)
    # The scheduler may account for a thread a moment later.
    until(
        lambda: processor_seconds(os.getpid()) - counted == pytest.approx(time.process_time() - true, rel=0.1, abs=0.02)
    )
    worked.set()
    for thread in threads:
        thread.join()


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 30), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_within_a_step_of_the_true_one(latencies: list[float], share: float) -> None:
    counted = histogram.added([[(histogram.middle_of(histogram.step_of(one)), 1)] for one in latencies])
    true = next(one for rank, one in enumerate(sorted(latencies), 1) if rank >= share * len(latencies))
    assert histogram.quantile(counted, share) == pytest.approx(true, rel=0.04)


def test_a_ratio_is_taken_within_each_round() -> None:
    slow, fast = [Sample(us, 1, 1) for us in (10, 40, 30)], [Sample(us, 1, 1) for us in (5, 10, 10)]
    assert ratio(slow, fast) == {"median": 3, "least": 2, "most": 4}
    assert summary(slow)["us"] == 30


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [(None, "not measured"), (0.8, "missed"), (0.9, "must met, goal not"), (1.2, "met")],
)
def test_a_goal_says_what_came_of_it(measured: float | None, verdict: str) -> None:
    assert Goal("ratio", measured, 0.9, 1.2).verdict == verdict


def test_less_is_better_where_it_is() -> None:
    assert Goal("bytes", 800, 800, at_most=True).verdict == "met"
    assert Goal("bytes", 801, 800, at_most=True).verdict == "missed"


# ---------------------------------------------------------------- the page


_ABOUT = {
    "date": "2026-01-01T00:00:00+00:00", "commit": "abc", "python": "3.11", "versions": {"Twisted": "26"},
    "machine": {"processor": "P", "cores": 2, "memory_gb": 1, "kernel": "6", "load": 0.0},
    "seconds": 1.0, "rounds": 7, "seed": 1, "quick": False, "generator": "C", "took_seconds": 1,
}  # fmt: skip


def test_the_page_shows_what_was_measured_and_what_was_promised(tmp_path: Path) -> None:
    to_echo = {"median": 1.25, "least": 1.1, "most": 1.4}
    entry = {
        "us": 20.0,
        "per_second": 50_000,
        "busy": 0.9,
        "to_echo": to_echo,
        "of_exchange": {**to_echo, "median": 1.0},
    }
    shapes = {shape: {"exchange": entry} for shape in ("1x1", "50x1", "50x16", "1000x1")}
    results = Results({})
    results.put(
        "answers", _ABOUT, {"titles": {"exchange": "the exchange"}, "missing": {"redis": "none"}, "shapes": shapes}
    )
    results.write(tmp_path / "results.json")
    read = Results.read(tmp_path / "results.json")
    assert [one.verdict for one in goals(read)][:4] == ["met", "met", "met", "must met, goal not"]
    page = write(read, tmp_path).read_text()
    assert "1.25 (1.10 to 1.40)" in page
    assert "Not measured: redis, none." in page
    (plot,) = (tmp_path / "pictures").glob("*.svg")
    assert "the exchange" in xml.dom.minidom.parse(str(plot)).toxml()


def test_there_is_no_page_without_results(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make bench"):
        write(Results.read(tmp_path / "none.json"), tmp_path)
