"""The bar, tables, and numbers for people."""

import io
import json

import pytest

from loquent.commands import terminal


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_bar_tells_bytes_rate_and_time_left():
    clock, stream = Clock(), Terminal()
    with terminal.Progress("Fetching x", stream, clock) as progress:
        for second in range(4):
            clock.now = second
            progress(second * 10_000_000, 100_000_000)
    line = "Fetching x   30%  30.0 MB of 100 MB  10.0 MB/s  0:07 left"
    assert progress.line() == line
    assert stream.getvalue().endswith(f"\r{line}\x1b[K\n")


def test_the_rate_is_that_of_the_last_seconds_and_not_of_what_was_there():
    clock = Clock()
    progress = terminal.Progress("x", Terminal(), clock)
    progress(900, 2000)  # from an earlier try
    assert progress.line() == "x   45%  900 B of 2.0 kB"
    for _ in range(100):
        clock.now += 1
        progress(progress._last[0] + 10, 2000)
    assert "10.0 B/s" in progress.line() or "10 B/s" in progress.line()
    assert len(progress._seen) < 10
    clock.now += 1
    progress(0, 2000)  # begun again
    assert progress.line() == "x    0%  0 B of 2.0 kB"


def test_without_a_total_there_is_no_share():
    clock = Clock()
    progress = terminal.Progress("x", Terminal(), clock)
    progress(0, None)
    clock.now = 2
    progress(3_000_000, None)
    assert progress.line() == "x  3.0 MB  1.5 MB/s"


def test_it_is_drawn_ten_times_a_second_at_most_and_never_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    clock, stream = Clock(), Terminal()
    progress = terminal.Progress("a title that is longer than that", stream, clock)
    for step in range(1000):
        clock.now = step / 1000
        progress(step, 2000)
    drawn = stream.getvalue().split("\r")[1:]
    assert 9 <= len(drawn) <= 11
    assert max(len(each.removesuffix("\x1b[K")) for each in drawn) == 29


def test_where_it_is_no_terminal_one_line_tells_the_end():
    clock, stream = Clock(), io.StringIO()
    with terminal.Progress("Fetching x", stream, clock) as progress:
        progress(0, 10)
        clock.now = 2.5
        progress(10, 10)
    assert stream.getvalue() == "Fetching x: 10 B in 2.5 s\n"


def test_nothing_done_and_errors_write_no_line():
    stream = Terminal()
    with terminal.Progress("x", stream):
        pass
    assert stream.getvalue() == ""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), terminal.Progress("x", stream) as progress:
        progress(1, 2)
        raise ValueError("x")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (98_362_432, "98.4 MB"),
        (6_435_000_000, "6.4 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_bytes_for_people(count, text):
    assert terminal.size(count) == text


def test_parameters_and_durations_for_people():
    assert terminal.count(134_515_008) == "135M"
    assert terminal.count(1_711_376_384) == "1.7B"
    assert terminal.count(12) == "12"
    assert [terminal.duration(each) for each in (0, 59.6, 3599, 3600)] == [
        "0:00",
        "1:00",
        "59:59",
        "1:00:00",
    ]


def test_tables_are_aligned():
    assert terminal.table(("a", "bb"), [("xxx", "1"), ("", "222")], right=("bb",)) == (
        "a     bb\nxxx    1\n     222"
    )


def test_json_is_one_line_and_keeps_letters(capsys):
    terminal.emit_json({"text": "é 你\n"})
    out = capsys.readouterr().out
    assert out == '{"text": "é 你\\n"}\n'
    assert json.loads(out)["text"] == "é 你\n"
