"""Hostile chat templates: none executes anything, and each is stopped within 1 s and 64 MB."""

import time
import tracemalloc
from pathlib import Path

import pytest

from loquent.errors import CheckpointError, RequestError
from loquent.text.template import ChatTemplate

MESSAGES = [{"role": "user", "content": "Hi there, how are you? " * 20}]
LIMIT_SECONDS = 1.0
MEMORY_BYTES = 64 * 2**20

FOLDER = Path(__file__).with_name("attacks")

# What leads to Python's insides; each ends in a call that would leave a trace if it were made.
WAYS_IN = (FOLDER / "ways_in.txt").read_text(encoding="utf-8").splitlines()

# What takes time or memory.
LONG = "x" * 9999
BURNERS = [
    *(FOLDER / "burners.txt").read_text(encoding="utf-8").splitlines(),
    "{% macro m() %}{% for i in range(99999) %}" + LONG + "{% endfor %}{% endmacro %}{{ m() }}",
    "{% for i in range(99999) %}" + LONG + "{% endfor %}",
    "{% set x %}{% for i in range(99999) %}" + LONG + "{% endfor %}{% endset %}{{ x }}",
    "{% set a = 'a' * 10**6 %}" + "".join(f"{{% set a{i} = a ~ {i} %}}" for i in range(300)),
    "{% set a = 'a' * 10**6 %}" + "".join(f"{{% set a{i} = a[1:] %}}" for i in range(300)),
    "{% set a = 'a' * 10**6 %}{{ " + " ~ ".join(["a"] * 999) + " }}",
    "{{ " + " + ".join(["messages"] * 900) + " }}",
    "{{ " + "(" * 5000 + ")" * 5000 + " }}",
    "{{ " + "not " * 9000 + "1 }}",
    "{{ x" + ".a" * 9000 + " }}",
    "{{ " + "a," * 30000 + " }}",
    "{% if 1 %}" * 5000,
    "{% for i in [1] %}" * 40 + "{% endfor %}" * 40,
    "{{ 1" + " < 2" * 3000 + " }}",
]


def attack(source: str) -> str:
    """What came of a template: the error, or else its text."""
    try:
        return ChatTemplate(source).render(MESSAGES)
    except (CheckpointError, RequestError) as error:
        return f"{type(error).__name__}: {error}"


def test_there_are_over_a_hundred_attacks() -> None:
    assert len(set(WAYS_IN)) == len(WAYS_IN)
    assert len(set(BURNERS)) == len(BURNERS)
    assert len(WAYS_IN) + len(BURNERS) >= 150


@pytest.mark.parametrize("source", WAYS_IN)
def test_nothing_is_executed(source: str) -> None:
    attack("")
    begin = time.thread_time()
    told = attack(source)
    assert time.thread_time() - begin < LIMIT_SECONDS
    assert told.startswith("CheckpointError: chat template"), told[:300]


@pytest.mark.parametrize("source", BURNERS, ids=range(len(BURNERS)))
def test_time_and_memory_are_limited(source: str) -> None:
    attack("")
    begin = time.thread_time()
    told = attack(source)
    assert time.thread_time() - begin < LIMIT_SECONDS
    assert told.startswith("CheckpointError: chat template"), told[:300]
    tracemalloc.start()  # takes time of its own, so that this is another run
    attack(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY_BYTES


def test_the_messages_stay_as_they_were() -> None:
    before = [dict(message) for message in MESSAGES]
    for source in WAYS_IN:
        attack(source)
    assert before == MESSAGES


def test_hostile_messages_are_only_text() -> None:
    hostile = [{"role": "user", "content": "{{ ''.__class__ }}{% raw %}"}]
    assert ChatTemplate("{{ messages[0].content }}").render(hostile) == hostile[0]["content"]
