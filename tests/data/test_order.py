"""Orders of batches: every example once an epoch, the same anywhere, whatever the ranks."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loquent.data.batch import Batch
from loquent.data.example import Example
from loquent.data.grouping import first_fit, groups_of_tokens
from loquent.data.order import Batches, OrderConfig, Place
from loquent.data.permutation import Permutation, mix, scattered
from loquent.data.store import Store
from loquent.errors import ConfigError, DataError

COUNT = 1237  # prime: no batch, chunk or number of ranks divides it


def example(number: int, length: int) -> Example:
    """Ids that tell which example they are of and which place they have."""
    return Example(np.arange(length, dtype=np.int32) + 1000 * number + 1, index=number)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Store:
    lengths = np.random.default_rng(0).integers(2, 60, COUNT).tolist()
    folder = tmp_path_factory.mktemp("texts") / "store"
    return Store.build((example(n, length) for n, length in enumerate(lengths)), folder)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Store:
    generator = np.random.default_rng(1)

    def some() -> Iterator[Example]:
        for number in range(300):
            read, wrote = generator.integers(1, 40, 2).tolist()
            source = np.full(read, number + 1, np.int32)
            yield Example(np.full(wrote + 1, number + 1, np.int32), source=source, index=number)

    return Store.build(some(), tmp_path_factory.mktemp("pairs") / "store")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Store:
    pieces = [Example(np.arange(n, n + 500, dtype=np.int32)) for n in range(0, 10_000, 500)]
    return Store.build(pieces, tmp_path_factory.mktemp("running") / "store")


def epoch(batches: Batches, number: int = 0) -> list[Batch]:
    return [batches.at(Place(number, index)) for index in range(batches.size(number))]


def equal(one: Batch, other: Batch) -> bool:
    a, b = vars(one), vars(other)
    return all(
        np.array_equal(a[name], b[name]) if a[name] is not None else b[name] is None for name in a
    )


ORDERS: list[dict[str, Any]] = [
    {"order": "shuffle"},
    {"order": "shuffle", "batch_tokens": 400},
    {"order": "bucket", "batch": 16},
    {"order": "bucket", "batch_tokens": 400},
    {"order": "sequence"},
    {"order": "sequence", "batch_tokens": 300},
]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 1000, 4097])
def test_a_permutation_has_every_number_once(count: int) -> None:
    for key in range(3):
        places = np.arange(count)
        assert sorted(Permutation(count, key)(places).tolist()) == list(range(count))


def test_permutations_look_like_chance() -> None:
    """Each number comes to each place about as often: chi-square of 10 x 10 over 2,000 keys."""
    table = np.zeros((10, 10))
    for key in range(2000):
        table[np.arange(10), Permutation(10, mix(key))(np.arange(10))] += 1
    chi_square = float(((table - 200) ** 2 / 200).sum())
    assert 40 < chi_square < 140  # 81 degrees of freedom: mean 81, deviation 12.7
    ordered = Permutation(100_000, 3)(np.arange(100_000))
    assert abs(np.corrcoef(np.arange(100_000), ordered)[0, 1]) < 0.02
    assert abs(np.corrcoef(ordered[1:], ordered[:-1])[0, 1]) < 0.02


def test_hashes_are_splitmix() -> None:
    """The first numbers of the generator seeded with 1234567, as its authors' C code gives them."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    golden = 0x9E3779B97F4A7C15
    seeds = [(1234567 + number * golden) % 2**64 for number in range(3)]
    assert scattered(np.array(seeds, np.uint64)).tolist() == known
    assert [mix(seed) for seed in seeds] == known
    assert mix(-1) == mix(2**64 - 1) and len({mix(1, 2), mix(2, 1), mix(3), mix(0, 0)}) == 4


def test_a_permutation_of_a_hundred_million_needs_no_list() -> None:
    large = Permutation(100_000_000, 1)
    found = large(np.arange(99_999_000, 100_000_000))
    assert len(set(found.tolist())) == 1000 and found.max() < 100_000_000


@pytest.mark.parametrize("settings", ORDERS, ids=str)
def test_every_example_comes_once_an_epoch_and_whole(
    texts: Store, settings: dict[str, Any]
) -> None:
    batches = Batches(texts, OrderConfig(**settings))
    for number in (0, 1):
        seen: Counter[int] = Counter()
        for batch in epoch(batches, number):
            seen.update(batch.examples.tolist())
            for row, which in enumerate(batch.examples.tolist()):
                whole, length = texts[which].ids, int(batch.lengths[row])
                assert batch.targets is not None
                assert batch.ids[row, :length].tolist() == whole[:-1].tolist()
                assert batch.targets[row, :length].tolist() == whole[1:].tolist()
                assert not batch.ids[row, length:].any()
                assert (batch.targets[row, length:] == -1).all()
        assert seen == Counter(range(COUNT))
    assert batches.receipt["kept"] == COUNT


@pytest.mark.parametrize("settings", ORDERS, ids=str)
def test_a_batch_is_a_function_of_its_place(texts: Store, settings: dict[str, Any]) -> None:
    one = Batches(texts, OrderConfig(**settings, seed=3))
    straight, place = [], Place()
    for _ in range(one.size(0) + one.size(1)):
        straight.append((place, one.at(place)))
        place = one.after(place)
    assert place == Place(2, 0)
    other = Batches(Store.open(texts.folder), OrderConfig(**settings, seed=3))
    for at, batch in reversed(straight[:: len(straight) // 15]):
        assert equal(other.at(at), batch)


@pytest.mark.parametrize("settings", ORDERS[:4], ids=str)
def test_seeds_and_epochs_give_other_orders(texts: Store, settings: dict[str, Any]) -> None:
    def first(seed: int, number: int) -> list[int]:
        batches = Batches(texts, OrderConfig(**settings, seed=seed))
        return batches.at(Place(number, 0)).examples.tolist()

    assert len({tuple(first(*each)) for each in ((0, 0), (1, 0), (0, 1))}) == 3


def test_a_sequence_is_as_it_is_stored(texts: Store) -> None:
    batches = Batches(texts, OrderConfig(order="sequence", batch=10))
    assert batches.at(Place(1, 3)).examples.tolist() == list(range(30, 40))


def test_buckets_hold_like_lengths(texts: Store) -> None:
    padded = {
        order: Batches(texts, OrderConfig(order=order, batch=16)).receipt["padded"]
        for order in ("shuffle", "bucket")
    }
    assert padded["bucket"] < 0.05 and padded["shuffle"] > 0.4
    real = epoch(Batches(texts, OrderConfig(order="bucket", batch=16)))
    share = 1 - sum(b.lengths.sum() for b in real) / sum(b.ids.size for b in real)
    assert padded["bucket"] == pytest.approx(share)


@pytest.mark.parametrize("order", ["shuffle", "bucket", "sequence"])
def test_token_budgets_are_kept_and_used(texts: Store, pairs: Store, order: Any) -> None:
    for store in (texts, pairs):
        batches = Batches(store, OrderConfig(order=order, batch_tokens=500))
        sizes = [
            batch.ids.size + (0 if batch.source is None else batch.source.size)
            for batch in epoch(batches)
        ]
        assert max(sizes) <= 500
        assert np.mean(sizes) > 350
    tiny = Batches(texts, OrderConfig(order=order, batch_tokens=30))
    assert tiny.receipt["oversized"] == sum(texts.lengths - 1 > 30)
    assert all(len(batch.ids) == 1 for batch in epoch(tiny) if batch.ids.size > 30)


@pytest.mark.parametrize("settings", [*ORDERS, {"order": "pack", "length": 64}], ids=str)
@pytest.mark.parametrize("ranks", [2, 3, 40])
def test_the_shards_of_all_ranks_are_the_batch(
    texts: Store, settings: dict[str, Any], ranks: int
) -> None:
    batches = Batches(texts, OrderConfig(**settings))
    for index in {0, batches.size(0) // 2, batches.size(0) - 1}:
        batch = batches.at(Place(0, index))
        shards = [batch.shard(rank, ranks) for rank in range(ranks)]
        for rank, shard in enumerate(shards):
            assert shard.examples.tolist() == batch.examples[rank::ranks].tolist()
            assert np.array_equal(shard.ids, batch.ids[rank::ranks])
        assert sum(shard.count for shard in shards) == batch.count


def test_micro_batches_are_the_batch_without_common_padding(pairs: Store) -> None:
    batch = Batches(pairs, OrderConfig(batch=50)).at(Place())
    parts = batch.split(8)
    assert [len(part.ids) for part in parts] == [8] * 6 + [2]
    assert np.concatenate([part.examples for part in parts]).tolist() == batch.examples.tolist()
    assert sum(part.count for part in parts) == batch.count
    for part in parts:
        assert part.source is not None and part.source_lengths is not None
        assert part.ids.shape[1] == part.lengths.max()
        assert part.source.shape[1] == part.source_lengths.max()
    assert len(batch.split(0)) == 1
    assert batch.shard(7, 60).split(8) and not batch.shard(55, 60).split(8)


def test_pairs_keep_their_sides_together(pairs: Store) -> None:
    for batch in epoch(Batches(pairs, OrderConfig(order="bucket", batch=7))):
        assert batch.source is not None and batch.source_lengths is not None
        for row, which in enumerate(batch.examples.tolist()):
            assert set(batch.ids[row, : batch.lengths[row]].tolist()) == {which + 1}
            assert set(batch.source[row, : batch.source_lengths[row]].tolist()) == {which + 1}


def test_packing_splits_loses_and_mixes_no_document(texts: Store) -> None:
    batches = Batches(texts, OrderConfig(order="pack", length=64, batch=4))
    seen: Counter[int] = Counter()
    for batch in epoch(batches):
        assert batch.documents is not None and batch.targets is not None
        assert batch.ids.shape[1] <= 64
        for ids, targets, documents, length in zip(
            batch.ids, batch.targets, batch.documents, batch.lengths, strict=True
        ):
            assert (documents[length:] == -1).all() and (documents[:length] >= 0).all()
            for number in range(documents.max() + 1):
                here = np.flatnonzero(documents == number)
                assert np.array_equal(here, np.arange(here[0], here[-1] + 1))
                which = int(ids[here[0]]) // 1000
                whole = texts[which].ids
                assert ids[here].tolist() == whole[:-1].tolist()
                assert targets[here].tolist() == whole[1:].tolist()
                seen[which] += 1
    assert seen == Counter(range(COUNT))
    assert batches.receipt["padded"] < 0.06  # shuffled rows: 0.46


def test_packing_by_a_budget_of_tokens(texts: Store) -> None:
    batches = Batches(texts, OrderConfig(order="pack", length=64, batch_tokens=640))
    sizes = [len(batch.ids) for batch in epoch(batches)]
    assert set(sizes[:-1]) == {10}


def test_first_fit_takes_the_first_window_with_room() -> None:
    assert first_fit(np.array([5, 6, 4, 3, 2, 8]), 10) == [[0, 2], [1, 3], [4, 5]]
    assert first_fit(np.array([10, 10]), 10) == [[0], [1]]


def test_groups_take_as_many_as_fit() -> None:
    numbers = np.arange(6)
    groups = groups_of_tokens(numbers, [np.array([9, 2, 2, 2, 2, 9])], 9)
    assert [group.tolist() for group in groups] == [[0], [1, 2, 3, 4], [5]]
    sides = [np.array([1, 3, 1, 1, 1, 1]), np.array([2, 1, 2, 2, 2, 2])]
    groups = groups_of_tokens(numbers, sides, 9)  # a row is as wide as the widest of each side
    assert [group.tolist() for group in groups] == [[0], [1], [2, 3, 4], [5]]


@pytest.mark.parametrize(
    "settings",
    [
        {"order": "pack", "length": 8, "batch": 48},
        {"order": "shuffle", "batch_tokens": 64},
        {"order": "bucket", "batch_tokens": 64},
        {"order": "bucket", "batch": 4},
    ],
    ids=str,
)
def test_batches_are_found_across_chunks(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Over 4,096 examples an epoch is arranged in parts, which batches may go across."""
    lengths = np.random.default_rng(3).integers(2, 9, 9001).tolist()
    made = (Example(np.full(length, n, np.int32)) for n, length in enumerate(lengths))
    batches = Batches(Store.build(made, tmp_path / "store"), OrderConfig(**settings))
    seen: Counter[int] = Counter()
    for batch in epoch(batches):
        assert batch.targets is not None
        seen.update(batch.targets[batch.targets >= 0].tolist())
    assert seen == Counter({n: length - 1 for n, length in enumerate(lengths)})


def test_windows_are_crops_of_the_running_text(running: Store) -> None:
    batches = Batches(running, OrderConfig(order="windows", length=50, batch=8))
    assert batches.size(0) == 10_000 // 400
    starts = []
    for batch in epoch(batches):
        assert batch.targets is not None and batch.ids.shape == (8, 50)
        assert (batch.targets == batch.ids + 1).all()
        assert (np.diff(batch.ids) == 1).all()
        assert (batch.ids[:, 0] == batch.examples).all()
        starts += batch.examples.tolist()
    assert len(set(starts)) > 190  # of 200: drawn by chance
    assert 4000 < np.mean(starts) < 6000
    again = Batches(running, OrderConfig(order="windows", length=50, batch=8))
    assert equal(again.at(Place(3, 7)), batches.at(Place(3, 7)))
    assert not equal(batches.at(Place(0, 1)), batches.at(Place(1, 1)))
    assert batches.receipt["padded"] == 0


def test_the_first_and_the_last_window_can_be_drawn(tmp_path: Path) -> None:
    store = Store.build([Example(np.arange(7, dtype=np.int32))], tmp_path / "store")
    batches = Batches(store, OrderConfig(order="windows", length=4, batch=50))
    assert set(batches.at(Place()).examples.tolist()) == {0, 1, 2}


def test_slices_cover_the_text_once(running: Store) -> None:
    batches = Batches(running, OrderConfig(order="slices", length=64, batch=10))
    targets = []
    for batch in epoch(batches):
        assert batch.targets is not None
        for row, length in enumerate(batch.lengths.tolist()):
            targets += batch.targets[row, :length].tolist()
    assert targets == list(range(1, 10_000))
    real = epoch(batches)
    share = 1 - sum(b.lengths.sum() for b in real) / sum(b.ids.size for b in real)
    assert batches.receipt["padded"] == pytest.approx(share)


def test_windows_without_targets_use_every_token(running: Store) -> None:
    batches = Batches(running, OrderConfig(order="slices", length=64, batch=10), shift=False)
    read: list[int] = []
    for batch in epoch(batches):
        assert batch.targets is None
        for row, length in enumerate(batch.lengths.tolist()):
            read += batch.ids[row, :length].tolist()
    assert read == list(range(10_000))


def test_what_is_learned_is_told_by_targets(tmp_path: Path) -> None:
    marks = np.array([False, False, True, True])
    masked = Example(np.array([1, 2, 3, 4], np.int32), marks)
    store = Store.build([masked, Example(np.array([9], np.int32))], tmp_path / "store")
    batch = Batches(store, OrderConfig(order="sequence")).at(Place())
    assert batch.targets is not None
    assert batch.ids.tolist() == [[1, 2, 3], [9, 0, 0]]
    assert batch.targets.tolist() == [[-1, 3, 4], [-1, -1, -1]]
    assert batch.count == 2
    packed = Batches(store, OrderConfig(order="pack", length=8)).at(Place())
    assert packed.count == 2


@pytest.mark.parametrize(
    ("labels", "told", "tagged"),
    [
        ([[3], [4]], [[3], [4]], False),
        ([[0, 1, 1], [1, 0, 0]], [[0, 1, 1], [1, 0, 0]], False),
        ([[5, 6, 7, 8], [1, -1]], [[5, 6, 7, 8], [1, -1, -1, -1]], True),
    ],
)
def test_labels_of_classes_and_tags(
    tmp_path: Path, labels: list[list[int]], told: list[list[int]], tagged: bool
) -> None:
    rows = [np.array(each, np.int32) for each in labels]
    ids = [np.array([1, 2, 3, 4], np.int32), np.array([5, 6], np.int32)]
    made = [Example(i, labels=row) for i, row in zip(ids, rows, strict=True)]
    store = Store.build(made, tmp_path / "store")
    batch = Batches(store, OrderConfig(order="sequence"), shift=False).at(Place())
    assert batch.labels is not None
    assert batch.targets is None and batch.labels.tolist() == told
    assert batch.tagged == tagged
    assert batch.count == int((batch.labels >= 0).sum())
    second = batch.split(1)[1]
    assert second.ids.tolist() == [[5, 6]]
    assert second.labels is not None
    assert second.labels.tolist() == [told[1][:2] if tagged else told[1]]
    cut = OrderConfig(order="sequence", length=1, long="cut")
    short = Batches(store, cut, shift=False).at(Place())
    assert short.labels is not None
    assert short.labels.shape[1] == (1 if tagged else len(told[0]))


@pytest.fixture
def uneven(tmp_path: Path) -> Store:
    lengths = [5, 0, 12, 3, 20, 8]
    return Store.build((example(n, length) for n, length in enumerate(lengths)), tmp_path / "store")


def test_longer_examples_are_refused_by_number(uneven: Store) -> None:
    with pytest.raises(
        DataError,
        match=r"2 of 6 examples \(33.3%\) have over 10 tokens, at most 20"
        r": records 2, 4 \(counted from 0\)",
    ):
        Batches(uneven, OrderConfig(length=10))
    assert Batches(uneven, OrderConfig(length=19)).receipt["kept"] == 5


def test_longer_examples_are_cut_and_counted(uneven: Store) -> None:
    batches = Batches(uneven, OrderConfig(length=7, long="cut", order="sequence"))
    (batch,) = epoch(batches)
    assert batch.examples.tolist() == [0, 2, 3, 4, 5]
    assert batch.lengths.tolist() == [4, 7, 2, 7, 7]
    assert batch.targets is not None
    assert batch.targets[1].tolist() == uneven[2].ids[1:8].tolist()
    receipt = batches.receipt
    assert (receipt["cut"], receipt["cut_tokens"], receipt["empty"]) == (2, 4 + 12, 1)
    assert receipt["cut_share"] == pytest.approx(2 / 6)
    assert (receipt["skipped"], receipt["kept"]) == (0, 5)


def test_longer_examples_are_skipped_and_counted(uneven: Store) -> None:
    batches = Batches(uneven, OrderConfig(length=7, long="skip", batch=2))
    seen = [which for batch in epoch(batches) for which in batch.examples.tolist()]
    assert sorted(seen) == [0, 3, 5]
    receipt = batches.receipt
    assert (receipt["skipped"], receipt["empty"], receipt["kept"]) == (2, 1, 3)


def test_examples_that_lose_all_targets_by_cutting_are_counted(tmp_path: Path) -> None:
    answers = [
        Example(np.arange(10, dtype=np.int32), np.arange(10) >= first) for first in (2, 8, 10)
    ]
    store = Store.build(answers, tmp_path / "store")
    cut = Batches(store, OrderConfig(length=5, long="cut"))
    assert cut.receipt["unlearned"] == 2
    assert Batches(store, OrderConfig(length=9)).receipt["unlearned"] == 1


def test_sources_are_cut_too(pairs: Store) -> None:
    for batch in epoch(Batches(pairs, OrderConfig(length=10, long="cut"))):
        assert batch.source is not None
        assert batch.source.shape[1] <= 10 and batch.ids.shape[1] <= 10


def test_nothing_left_is_an_error(uneven: Store) -> None:
    with pytest.raises(DataError, match="no example is left: 1 are empty, 5 too long"):
        Batches(uneven, OrderConfig(length=1, long="skip"))


def test_a_place_beyond_the_epoch_is_an_error(texts: Store) -> None:
    batches = Batches(texts, OrderConfig(batch=100))
    for place in (Place(0, 13), Place(0, -1), Place(-1, 0)):
        with pytest.raises(DataError, match="has 13 batches; there is no number"):
            batches.at(place)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"order": "shufle"}, "Did you mean 'shuffle'"),
        ({"long": "clip"}, "unknown choice 'clip'"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"batch_tokens": -1}, "cannot be negative"),
        ({"order": "pack"}, "needs the length of a window"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        OrderConfig(**settings)


@pytest.mark.parametrize("order", ["pack", "windows", "slices"])
def test_orders_of_texts_do_not_take_pairs(pairs: Store, order: Any) -> None:
    with pytest.raises(ConfigError, match="these examples have source"):
        Batches(pairs, OrderConfig(order=order, length=8))


def test_a_text_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    store = Store.build([Example(np.arange(8, dtype=np.int32))], tmp_path / "store")
    with pytest.raises(DataError, match="has 8 tokens, less than one window of 9"):
        Batches(store, OrderConfig(order="windows", length=8))
    assert Batches(store, OrderConfig(order="windows", length=7)).size(0) == 1
