"""Sounds as records and in batches: where they lie, what is heard of them, how they vary."""

from pathlib import Path

import numpy as np
import pytest

from loquent.architecture import FrontConfig
from loquent.audio.features import features, frames_of
from loquent.audio.sound import Sound
from loquent.audio.writing import write_sound
from loquent.data.example import Example
from loquent.data.hearing import Hearing, Variation, stored
from loquent.data.order import Batches, OrderConfig, Place
from loquent.data.reading import Record
from loquent.data.sounds import located, sound_records
from loquent.data.split import part_of
from loquent.data.store import Store
from loquent.errors import ConfigError, DataError

RATE = 8000
FRONT = FrontConfig(features=20, spectrum="banks", rate=RATE)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * 0.1
    return made.astype(np.float32)


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sound(path, Sound(noise(0.3), RATE))


def found(folder: Path) -> list[tuple[str, str]]:
    records = list(sound_records(folder))
    assert [record.index for record in records] == list(range(len(records)))
    key = "text" if "text" in records[0].values else "label"
    return [
        (Path(each.values["audio"]).relative_to(folder).as_posix(), each.values[key])
        for each in records
    ]


def test_ljspeech(tmp_path: Path) -> None:
    put(tmp_path / "wavs" / "LJ-1.wav")
    put(tmp_path / "LJ-2.flac")
    table = "LJ-1|In 1900|in nineteen hundred\nLJ-2|Printing|\n"
    (tmp_path / "metadata.csv").write_text(table, encoding="utf-8")
    assert found(tmp_path) == [("wavs/LJ-1.wav", "in nineteen hundred"), ("LJ-2.flac", "Printing")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("transcripts.tsv", "name\ttext\na.wav\tgood day, all\n"),
        ("transcripts.csv", "file,text\na.wav,good day, all\n"),
        ("transcripts.txt", "a good day, all\n\n"),
        ("1/1-2.trans.txt", "a good day, all\n"),
        ("transcripts.txt", "\ufeffa\tgood day, all\n"),
    ],
)
def test_tables(tmp_path: Path, name: str, text: str) -> None:
    folder = (tmp_path / name).parent
    put(folder / "a.wav")
    (tmp_path / name).write_text(text, encoding="utf-8")
    sound = (folder / "a.wav").relative_to(tmp_path).as_posix()
    assert found(tmp_path) == [(sound, "good day, all")]


def test_texts_beside_and_folders(tmp_path: Path) -> None:
    for name in ("yes/1.wav", "yes/2.ogg", "no/1.wav"):
        put(tmp_path / "commands" / name)
    assert found(tmp_path / "commands") == [
        ("no/1.wav", "no"), ("yes/1.wav", "yes"), ("yes/2.ogg", "yes"),
    ]  # fmt: skip
    put(tmp_path / "texts" / "a.wav")
    (tmp_path / "texts" / "a.txt").write_text("Hello.\n", encoding="utf-8")
    assert found(tmp_path / "texts") == [("a.wav", "Hello.")]


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sounds"):
        list(sound_records(tmp_path))
    put(tmp_path / "a.wav")
    with pytest.raises(DataError, match="does not say what is said"):
        list(sound_records(tmp_path))
    table = tmp_path / "transcripts.tsv"
    table.write_text("b\thello\n", encoding="utf-8")
    with pytest.raises(DataError, match="there is no sound 'b'"):
        list(sound_records(tmp_path))
    table.write_text("a\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no text behind a name"):
        list(sound_records(tmp_path))


def test_paths_are_told_from_their_file() -> None:
    base = Path("data")
    for name in ("audio", "Audio", "file", "path"):
        made = located(Record({name: "a/1.wav", "text": "x"}, "t.jsonl:1", 0), base)
        assert made.values == {"audio": str(Path("data/a/1.wav")), "text": "x"}
    assert located(Record({"audio": "/a.wav"}, "", 0), base).values["audio"] == "/a.wav"
    assert located(Record({"audio": {"path": "b"}}, "", 0), base).values["audio"] == "data/b"
    with pytest.raises(DataError, match="no path of a sound"):
        located(Record({"text": "x"}, "t.jsonl:1", 0), base)


def test_parts_do_not_hang_on_where_a_folder_lies_or_on_what_is_said() -> None:
    def parts(base: str) -> list[str]:
        records = [Record({"audio": f"{base}/{i}.wav", "text": "one"}, "", i) for i in range(200)]
        return [part_of(each, 0, 0.2, 0.2) for each in records]

    assert parts("/here/clips") == parts("/there/too/clips")
    assert len(set(parts("/here/clips"))) == 3


def test_features_are_as_many_as_told_and_know_no_loudness() -> None:
    whisper = FrontConfig(features=80)
    for front in (FRONT, whisper):
        for count in (1, 300, 799, 800, 1601, 7999, 16_000):
            samples = np.resize(noise(2.0), count)
            made = features(samples, front)
            assert made.shape == (front.features, frames_of(count, front))
            assert made.dtype == np.float32
            assert np.isfinite(made).all()
    loud, soft = features(noise(1.0), FRONT), features(noise(1.0) / 50, FRONT)
    np.testing.assert_allclose(loud, soft, atol=1e-3)
    assert abs(loud.mean()) < 1e-5
    assert np.isfinite(features(np.zeros(4000, np.float32), FRONT)).all()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    def made(number: int) -> Example:
        sound = stored(noise(0.2 + 0.05 * (number % 5), number))
        return Example(
            np.zeros(0, np.int32), labels=np.array([number % 3, 1], np.int32)[: 1 + number % 2],
            sound=sound, frames=frames_of(len(sound), FRONT), index=number,
        )  # fmt: skip

    return Store.build(map(made, range(20)), tmp_path / "store")


def test_batches_hold_features_in_place_of_ids(store: Store) -> None:
    assert store.parts == {"sound", "labels"}
    assert int(store.lengths.max()) == frames_of(3200, FRONT)
    order = OrderConfig(batch=8, order="sequence")
    batches = Batches(store, order, shift=False, hearing=Hearing(front=FRONT))
    batch = batches.at(Place(0, 1))
    assert batch.ids.shape == (8, 20, int(batch.lengths.max()))
    assert batch.lengths.tolist() == store.lengths[8:16].tolist()
    assert batch.count == 12
    example = store[9]
    assert example.sound is not None
    assert example.frames == batch.lengths[1]
    alone = features(example.sound.astype(np.float32) / 32767, FRONT)
    np.testing.assert_array_equal(batch.ids[1, :, : example.frames], alone)
    assert not batch.ids[1, :, example.frames :].any()
    first, _ = batch.split(4)
    assert first.ids.shape[-1] == int(first.lengths.max())
    assert len(batch.shard(1, 3).ids) == 3
    cut = OrderConfig(batch=8, order="sequence", length=15, long="cut")
    cut_batch = Batches(store, cut, shift=False, hearing=Hearing(front=FRONT)).at(Place())
    assert 13 <= int(cut_batch.lengths.max()) <= 15
    with pytest.raises(ConfigError, match="a network that hears"):
        Batches(store, order, shift=False)


def test_a_sound_before_a_decoder_is_its_source(tmp_path: Path) -> None:
    sound = stored(noise(0.5))
    frames = frames_of(len(sound), FRONT)
    made = Example(np.array([1, 5, 6, 2], np.int32), sound=sound, frames=frames)
    store = Store.build([made, made], tmp_path / "store")
    batch = Batches(store, OrderConfig(), hearing=Hearing(front=FRONT)).at(Place())
    assert batch.ids.tolist() == [[1, 5, 6]] * 2
    assert batch.source is not None
    assert batch.source.shape == (2, 20, frames)
    assert store.lengths.tolist() == [4 + frames] * 2


def test_variations_are_of_their_place_alone(store: Store) -> None:
    varied = Variation(
        speed=0.1, tempo=0.1, noise=0.7, bins=5, frames=0.3, warp=0.1, channel=1.0, silence=0.02
    )
    hearing = Hearing(front=FRONT, variation=varied)
    sound = stored(noise(1.0))
    plain = Hearing(front=FRONT).features(sound, (0, 0, 0))
    several = [hearing.features(sound, (seed, epoch, 3)) for seed in (0, 1) for epoch in (0, 1)]
    for made in several:
        assert made.shape != plain.shape or np.abs(made - plain).max() > 0.1
        assert np.isfinite(made).all()
        assert 0.75 < made.shape[1] / plain.shape[1] < 1.3
    assert len({made.tobytes() for made in several}) == 4
    np.testing.assert_array_equal(several[0], hearing.features(sound, (0, 0, 3)))
    hidden = Hearing(front=FRONT, variation=Variation(bins=8)).features(sound, (1, 1, 1))
    changed = np.abs(hidden - plain).max(axis=1) > 0
    assert 0 < changed.sum() <= 16
    order = OrderConfig(batch=4, seed=3)
    first, again = (
        Batches(store, order, shift=False, hearing=hearing).at(Place(1, 2)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.ids, again.ids)
    higher = Hearing(front=FRONT, variation=Variation(warp=0.2)).features(sound, (1, 1, 2))
    assert higher.shape == plain.shape
    assert np.abs(higher - plain).max() > 0.1
    lengths = set()
    for epoch in range(20):
        tempo = Hearing(front=FRONT, variation=Variation(tempo=0.3)).features(sound, (1, epoch, 2))
        lengths.add(tempo.shape[1] / plain.shape[1])
        np.testing.assert_array_equal(tempo[:, [0, -1]], plain[:, [0, -1]])
    assert 0.75 < min(lengths) < 0.9
    assert 1.1 < max(lengths) < 1.45
    colored = Hearing(front=FRONT, variation=Variation(channel=1.0)).features(sound, (1, 1, 2))
    curve = colored - plain
    np.testing.assert_allclose(curve, np.repeat(curve[:, :1], curve.shape[1], 1), atol=1e-5)
    assert 0.05 < np.abs(curve).max() <= 1
    wrong = {
        "warp": 1.0, "channel": -1.0, "silence": 11.0, "speed": 0.9, "noise": 2.0, "bins": -1,
        "frames": 0.6, "tempo": 0.6,
    }  # fmt: skip
    for name, value in wrong.items():
        with pytest.raises(ConfigError, match="sound"):
            Variation(**{name: value})


def test_loud_banks_are_the_same_with_silence_around_them() -> None:
    front = FrontConfig(features=20, spectrum="loud_banks", rate=RATE)
    spoken = noise(0.5)
    alone = features(spoken, front)
    assert alone.shape == (20, frames_of(len(spoken), front))
    assert alone.min() >= -16 / 9 - 1e-6
    np.testing.assert_allclose(features(0.2 * spoken, front), alone, atol=0.01)
    quiet = 1e-4 * noise(0.4, 1)
    within = features(np.concatenate([quiet, spoken, quiet]), front)
    np.testing.assert_allclose(within[:, 40 : 40 + alone.shape[1]], alone, atol=0.01)
    np.testing.assert_allclose(within[:, :37], -16 / 9, atol=0.2)
    banks = FrontConfig(features=20, spectrum="banks", rate=RATE)
    moved = features(np.concatenate([quiet, spoken, quiet]), banks)[:, 40 : 40 + alone.shape[1]]
    assert np.abs(moved - features(spoken, banks)).max() > 0.5
