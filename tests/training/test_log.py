"""The log of a run, and TensorBoard's files, held to TensorBoard's own reader."""

import json
import logging
import math

import pytest

from loquent.errors import CheckpointError, DataError
from loquent.training import events
from loquent.training.events import Events
from loquent.training.log import Log, read_log


class Clock:
    """A clock that goes on by a quarter second with each look."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def silent(sentence: str) -> None:
    """A note that nobody should have to be told."""
    raise AssertionError(sentence)


def logged(folder, steps, **given) -> None:
    with Log(folder, clock=Clock(), **given) as log:
        for step in steps:
            log.write("train", step, {"loss": 1 / step, "rate": 0.5})
            if step % 5 == 0:
                log.write("eval", step, {"accuracy": step / 100})
        log.sync()


def test_what_is_logged_is_read(tmp_path):
    with Log(tmp_path / "run", clock=Clock()) as log:
        log.write("train", 1, {"loss": 2.5, "place": {"epoch": 0, "index": 1}, "名": "值"})
        log.write("eval", 1, {"loss": math.nan, "f1": math.inf})
    lines = read_log(tmp_path / "run" / "log.jsonl", silent)
    assert [(line.kind, line.step) for line in lines] == [("train", 1), ("eval", 1)]
    assert lines[0].values == {"loss": 2.5, "place": {"epoch": 0, "index": 1}, "名": "值"}
    assert lines[1].values == {"loss": None, "f1": None}
    assert 1_800_000_000 < lines[0].time < lines[1].time
    raw = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
    assert "值" in raw
    assert [json.loads(each)["step"] for each in raw.splitlines()] == [1, 1]


def test_each_line_is_seen_by_others_at_once(tmp_path):
    log = Log(tmp_path, clock=Clock())
    log.write("train", 1, {"loss": 1.0})
    assert len(read_log(log.path, silent)) == 1
    log.close()


def test_a_resumed_log_is_that_of_an_unbroken_run(tmp_path):
    logged(tmp_path / "whole", range(1, 21))
    logged(tmp_path / "broken", range(1, 18))
    logged(tmp_path / "broken", range(13, 21), resumed=12)
    whole = read_log(tmp_path / "whole" / "log.jsonl", silent)
    broken = read_log(tmp_path / "broken" / "log.jsonl", silent)
    plain = [(line.kind, line.step, line.values) for line in whole]
    assert plain == [(line.kind, line.step, line.values) for line in broken]
    assert len(plain) == 24


def test_a_run_from_the_start_begins_an_empty_log(tmp_path):
    logged(tmp_path, range(1, 4))
    logged(tmp_path, range(1, 3))
    assert [line.step for line in read_log(tmp_path / "log.jsonl", silent)] == [1, 2]


@pytest.mark.parametrize("kept", range(0, 60, 7))
def test_a_half_last_line_is_cut(tmp_path, kept):
    logged(tmp_path, range(1, 4))
    path = tmp_path / "log.jsonl"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + third[:kept])
    assert [line.step for line in read_log(path, silent)] == [1, 2]  # one may just be written
    logged(tmp_path, [3], resumed=2)
    assert [line.step for line in read_log(path, silent)] == [1, 2, 3]


@pytest.mark.parametrize(
    "damaged",
    [b"?", b"{}", b"3", b'{"kind":1,"step":2,"time":3}', b'{"kind":"train","step":true,"time":3}'],
)
def test_a_damaged_line_is_passed_over_with_its_number(tmp_path, damaged):
    logged(tmp_path, range(1, 4))
    path = tmp_path / "log.jsonl"
    first, _, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + damaged + b"\n" + third)
    told: list[str] = []
    assert [line.step for line in read_log(path, told.append)] == [1, 3]
    assert told == [f"{path}:2: is no line of a log; it is passed over."]
    logged(tmp_path, [4], resumed=3)
    assert [line.step for line in read_log(path, told.append)] == [1, 3, 4]


def test_no_log_has_no_lines_and_a_folder_is_none(tmp_path):
    assert read_log(tmp_path / "log.jsonl", silent) == []
    with pytest.raises(DataError, match="cannot be read"):
        read_log(tmp_path, silent)


def test_a_log_that_cannot_be_written_is_told_with_its_path(tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"log\.jsonl: cannot be written: Is a directory"):
        Log(tmp_path)
    full = Log(tmp_path / "run", tensorboard=False)
    full._file.close()
    full._file = open("/dev/full", "ab", buffering=0)  # noqa: SIM115, PTH123
    with pytest.raises(CheckpointError, match=r"log\.jsonl: cannot be written: No space left"):
        full.write("train", 1, {"loss": 1.0})


def test_the_checksum_is_that_of_the_standard():
    assert events.checksum(b"") == 0
    assert events.checksum(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert events.checksum(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert events.checksum(b"\xff" * 32) == 0x62A8AB43
    assert events.checksum(bytes(range(32))) == 0x46DD794E


def test_tensorboard_is_no_must(tmp_path):
    log = Log(tmp_path, tensorboard=False)
    log.text("args", "none")
    log.write("train", 1, {"loss": 1.0})
    log.sync()
    log.close()
    assert [each.name for each in tmp_path.iterdir()] == ["log.jsonl"]


@pytest.fixture
def tensorboard():
    """What TensorBoard's own reader sees in a folder."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logging.getLogger("tensorboard").setLevel(logging.ERROR)

    def seen(folder):
        found = reader.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        found.Reload()
        return found

    return seen


def scalars(found, tag) -> dict[int, float]:
    from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415

    if tag in found.Tags()["scalars"]:
        return {event.step: event.value for event in found.Scalars(tag)}
    return {event.step: make_ndarray(event.tensor_proto).item() for event in found.Tensors(tag)}


def test_tensorboard_reads_figures_and_texts(tmp_path, tensorboard):
    with Log(tmp_path, clock=Clock()) as log:
        log.text("args", "| rate |\n|---|\n| 0.1 |")
        for step in (1, 200, 2**40):
            log.write("train", step, {"loss": 1 / step, "big": 1e300, "word": "x", "yes": True})
        log.write("eval", 200, {"accuracy": 0.25, "nothing": math.nan})
    found = tensorboard(tmp_path)
    tags = found.Tags()
    assert {*tags["scalars"], *tags["tensors"]} == {
        "train/loss",
        "train/big",
        "eval/accuracy",
        "args/text_summary",
    }
    loss = scalars(found, "train/loss")
    assert list(loss) == [1, 200, 2**40]
    assert loss[200] == pytest.approx(1 / 200)
    assert scalars(found, "eval/accuracy") == {200: 0.25}
    assert found.SummaryMetadata("args/text_summary").plugin_data.plugin_name == "text"
    text = found.Tensors("args/text_summary")[0].tensor_proto
    assert text.string_val == [b"| rate |\n|---|\n| 0.1 |"]


def test_tensorboard_sees_a_resumed_run_as_an_unbroken_one(tmp_path, tensorboard):
    logged(tmp_path, range(1, 18))
    (half,) = tmp_path.glob("events.*")
    half.write_bytes(half.read_bytes()[:-7])  # killed while writing
    logged(tmp_path, range(13, 19), resumed=12)
    logged(tmp_path, range(18, 21), resumed=17)
    loss = scalars(tensorboard(tmp_path), "train/loss")
    assert list(loss) == list(range(1, 21))
    assert loss[13] == pytest.approx(1 / 13)
    accuracy = scalars(tensorboard(tmp_path), "eval/accuracy")
    assert list(accuracy) == [5, 10, 15, 20]


def test_a_file_of_events_is_a_row_of_checked_records(tmp_path):
    """The framing without TensorBoard, so that the default tests see it where that is absent."""
    made = Events(tmp_path, clock=Clock())
    made.scalars(3, {"train/loss": 0.5})
    made.scalars(4, {})
    made.flush()
    raw = made.path.read_bytes()
    made.close()
    records = []
    while raw:
        size = int.from_bytes(raw[:8], "little")
        assert events.record(raw[12 : 12 + size]) == raw[: 16 + size]
        records.append(raw[12 : 12 + size])
        raw = raw[16 + size :]
    assert len(records) == 2
    assert b"brain.Event:2" in records[0]
    assert b"train/loss" in records[1]


def test_events_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(CheckpointError, match="events"):
        Events(tmp_path / "absent")
