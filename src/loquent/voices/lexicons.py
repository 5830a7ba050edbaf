"""The dictionaries, the tagger and the guess at unknown words beside the spectral voice."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from loquent.checkpoints.files.onnx_program import open_program
from loquent.errors import CheckpointError
from loquent.graphs.runner import Runner
from loquent.text.lexicon import Lexicon
from loquent.text.pronouncing import Pronouncer
from loquent.text.tagging import Tagger

DICTIONARIES = ("lexicon_us_gold.json.gz", "lexicon_us_silver.json.gz")
TAGGER = "tagger.json.gz"
GUESSER = ("oov.onnx", "oov.json")
_T = TypeVar("_T")
_MOST_BYTES = 1 << 26  # of a file of data, unpacked


class _Lazy(Mapping[str, Any]):
    """A mapping whose values are decoded when they are asked for: few are."""

    def __init__(self, values: Mapping[str, msgspec.Raw], kind: Any) -> None:
        self._values, self._decoder = values, msgspec.json.Decoder(kind)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._decoder.decode(self._values[name])
        except msgspec.DecodeError as fault:
            raise CheckpointError(f"the entry {name!r} is not as it should be: {fault}.") from fault

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Tagging(msgspec.Struct):
    """What the tagger's file says."""

    tags: list[str]
    tagdict: dict[str, str]
    vocab: list[str]
    weights: dict[str, msgspec.Raw]


class _Guessing(msgspec.Struct):
    """What oov.json says: characters in, phonemes out, and how many characters are read."""

    characters: tuple[str, ...] = msgspec.field(name="in")
    phonemes: tuple[str, ...] = msgspec.field(name="out")
    longest: int = msgspec.field(name="maxlen")


def read_json(path: Path, kind: Any = Any) -> Any:
    """A file of JSON, perhaps packed with gzip, of a kind that msgspec knows.

    Raises CheckpointError where it is missing, larger than 64 MB, or something else.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise CheckpointError(f"cannot be read: {fault}.", where=str(path)) from fault
    if len(data) > _MOST_BYTES:
        raise CheckpointError(f"holds more than {_MOST_BYTES >> 20} MB.", where=str(path))
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise CheckpointError(f"is not as it should be: {fault}.", where=str(path)) from fault


class _Later(Generic[_T]):
    """What is read from files once, by whoever asks first; others wait for it."""

    def __init__(self, read: Callable[[], _T]) -> None:
        self._read, self._found = read, list[_T]()
        self._lock = Lock()

    def __call__(self) -> _T:
        with self._lock:
            if not self._found:
                self._found.append(self._read())
            return self._found[0]


def pronouncer(folder: Path, alphabet: Sequence[str]) -> Pronouncer:
    """Of the files in a folder; what not every sentence needs is read on a thread meanwhile."""
    kind = str | dict[str, str | None]
    tagger, network = _Later(lambda: _tagger(folder)), _Later(lambda: _network(folder))
    read = [_Lazy(read_json(folder / name, dict[str, msgspec.Raw]), kind) for name in DICTIONARIES]
    _read_ahead(tagger, network)
    return Pronouncer(Lexicon(*read), alphabet, _guesser(network), tagger)


def _read_ahead(*each: Callable[[], object]) -> None:
    """On a thread of its own; what is wrong is told when it is needed."""

    def ask() -> None:
        for one in each:
            with suppress(CheckpointError):
                one()

    Thread(target=ask).start()


def _tagger(folder: Path) -> Tagger:
    told: _Tagging = read_json(folder / TAGGER, _Tagging)
    weights = _Lazy(told.weights, dict[str, float])
    return Tagger(told.tags, told.tagdict, frozenset(told.vocab), weights)


def _network(folder: Path) -> tuple[Runner, _Guessing]:
    network, description = (folder / each for each in GUESSER)
    return Runner(open_program(network)), read_json(description, _Guessing)


def _guesser(network: Callable[[], tuple[Runner, _Guessing]]) -> Callable[[str], str]:
    """A network that reads a word's letters."""

    def guess(word: str) -> str:
        runner, told = network()
        places = {each: place for place, each in enumerate(told.characters, 1)}
        ids = [places[each] for each in word if each in places][: told.longest]
        if len(ids) < len(word):
            return ""  # a letter that it does not know, or too long a word
        found = runner.run({runner.inputs[0]: np.array([ids], np.int64)})
        (made,) = found.values()
        return _collapsed(made.reshape(-1).tolist(), told.phonemes)

    return guess


def _collapsed(ids: Sequence[int], phonemes: Sequence[str]) -> str:
    """Repetitions once, blanks (0) not at all (Graves et al. 2006, §3.1)."""
    told = [id for place, id in enumerate(ids) if id and (place == 0 or ids[place - 1] != id)]
    return "".join(phonemes[id - 1] for id in told if id <= len(phonemes))
