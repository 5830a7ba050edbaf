"""Chat templates: equal to what transformers renders, and errors that say what to do."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from loquent.errors import CheckpointError, RequestError
from loquent.text.template import ChatTemplate

FOLDER = Path(__file__).with_name("templates")
PIECES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.jinja"))

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": 'Das Wetter <heute> & "morgen" 天气',
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "Time", "parameters": {}}},
]
CALL = {
    "type": "function",
    "id": "c1",
    "function": {"name": "weather", "arguments": {"city": "北京"}},
}

CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "short": [{"role": "user", "content": "Hi"}],
    "system": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  What's up?\n"},
    ],
    "turns": [
        {"role": "user", "content": "你好 <b>&amp;</b> 😀"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello 'there' \"you\""},
        {"role": "user", "content": "{{ 7*7 }} {% raw %} <|im_end|>"},
    ],
    "reasoning": [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2", "thinking": "one and one", "tool_calls": None},
    ],
    "tools": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "content": '{"sun":\n 1}'},
        {"role": "assistant", "content": "Sunny."},
        {"role": "user", "content": "Thanks"},
    ],
    "wrong order": [{"role": "assistant", "content": "I begin"}, {"role": "user", "content": "?"}],
}


@pytest.fixture(scope="module")
def theirs() -> Any:
    transformers = pytest.importorskip("transformers")
    library = Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=library, **PIECES)


@pytest.mark.parametrize("name", NAMES)
def test_public_templates_are_rendered_as_transformers_does(name: str, theirs: Any) -> None:
    source = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    ours = ChatTemplate(source, pieces=PIECES)
    compared = refused = 0
    for messages in CONVERSATIONS.values():
        for tools in (None, TOOLS):
            for prompt in (True, False):
                for values in ({}, {"enable_thinking": False, "date_string": "1 Jan 2026"}):
                    try:
                        expected = theirs.apply_chat_template(
                            messages,
                            tools=tools,
                            chat_template=source,
                            tokenize=False,
                            add_generation_prompt=prompt,
                            **values,
                        )
                    except Exception:
                        with pytest.raises((RequestError, CheckpointError)):
                            ours.render(
                                messages, tools=tools, add_generation_prompt=prompt, values=values
                            )
                        refused += 1
                        continue
                    assert expected == ours.render(
                        messages, tools=tools, add_generation_prompt=prompt, values=values
                    )
                    compared += 1
    assert compared >= 16
    assert refused <= 32


def test_there_are_at_least_eight_public_templates() -> None:
    assert len(NAMES) >= 9


def test_a_template_for_tools_is_taken_where_there_are_tools() -> None:
    both = ChatTemplate("plain", tools="with tools")
    assert both.render(CONVERSATIONS["short"]) == "plain"
    assert both.render(CONVERSATIONS["short"], tools=TOOLS) == "with tools"


def test_documents_and_values() -> None:
    template = ChatTemplate("{{ documents[0].title }} {{ mood }} {{ bos_token }}", pieces=PIECES)
    text = template.render(
        CONVERSATIONS["short"], documents=[{"title": "T"}], values={"mood": "good"}
    )
    assert text == "T good <s>"


def test_rendering_is_fast() -> None:
    source = (FOLDER / "qwen.jinja").read_text(encoding="utf-8")
    template = ChatTemplate(source)
    template.render(CONVERSATIONS["tools"], tools=TOOLS)
    begin = time.thread_time()
    for _ in range(20):
        template.render(CONVERSATIONS["tools"], tools=TOOLS)
    assert (time.thread_time() - begin) / 20 < 0.005


def test_long_conversations_fit() -> None:
    turn = [
        {"role": "user", "content": "word " * 500},
        {"role": "assistant", "content": "ok " * 500},
    ]
    for name in ("chatml", "qwen", "mistral", "gemma"):
        source = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
        text = ChatTemplate(source, pieces=PIECES).render(turn * 100)
        assert len(text) > 300_000


def test_threads_render_at_the_same_time() -> None:
    source = (FOLDER / "llama3.jinja").read_text(encoding="utf-8")
    template = ChatTemplate(source, pieces=PIECES)
    found: dict[int, set[str]] = {}

    def work(number: int) -> None:
        message = {"role": "user", "content": f"I am {number}"}
        found[number] = {template.render([message]) for _ in range(20)}

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(texts) == 1 for texts in found.values())
    assert all(f"I am {number}<" in texts.pop() for number, texts in found.items())


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], ["at least one message"]),
        ("Hi", ["at least one message"]),
        ([1], ["messages[0]", "no mapping"]),
        ([{"content": "Hi"}], ["messages[0]", "no role", "user"]),
        ([{"role": "asistant", "content": "Hi"}], ["'asistant'", "'assistant'"]),
        ([{"role": "user"}], ["messages[0]", "no content"]),
        ([{"role": "user", "content": 7}], ["messages[0]", "int"]),
        ([{"role": "user", "content": ["Hi"]}], ["messages[0].content[0]", "type"]),
        ([{"role": "user", "content": "Hi", "x": {1}}], ["messages[0].x", "set"]),
        (
            [{"role": "usr", "content": "Hi"}, {"role": "user"}, {"role": "tool", "content": b""}],
            ["3 faults", "messages[0]", "messages[1]", "messages[2]"],
        ),
    ],
)
def test_faults_of_messages_are_named_all_at_once(messages: Any, words: list[str]) -> None:
    with pytest.raises(RequestError) as caught:
        ChatTemplate("{{ messages }}").render(messages)
    for word in words:
        assert word in str(caught.value)


def test_deep_values_are_refused() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(RequestError, match="levels deep"):
        ChatTemplate("").render([{"role": "user", "content": "Hi", "x": deep}])
    with pytest.raises(RequestError, match="tools"):
        ChatTemplate("").render(CONVERSATIONS["short"], tools=[{"f": print}])


def test_a_role_that_the_template_names_is_allowed() -> None:
    message = [{"role": "critic", "content": "Hm"}]
    template = ChatTemplate("{% if messages[0].role == 'critic' %}yes{% endif %}")
    assert template.render(message) == "yes"


def test_subclasses_become_plain_values() -> None:
    class Text(str):
        __slots__ = ()

        def strip(self, characters: str | None = None) -> str:
            raise AssertionError(characters)

    message = {"role": "user", "content": Text(" a "), "n": True, "f": 1.5}
    template = ChatTemplate(
        "{{ messages[0].content.strip() }}{{ messages[0].n }}{{ messages[0].f }}"
    )
    assert template.render([message]) == "aTrue1.5"


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("{{ raise_exception('Only user!') }}", RequestError, ["Only user!"]),
        ("a\n{% if %}", CheckpointError, ["here.jinja:2"]),
        ("a\nb\n{{ x.y }}", CheckpointError, ["here.jinja:3", "'x' is undefined"]),
        ("{{ x | nothing }}", CheckpointError, ["here.jinja:1", "nothing"]),
        ("{% include 'other' %}", CheckpointError, ["here.jinja:1"]),
        ("x" * 70_000, CheckpointError, ["here.jinja", "65536 characters"]),
        ("{{a}}" * 8_000, CheckpointError, ["here.jinja", "more words"]),
        ("{{ 1 / 0 }}", CheckpointError, ["here.jinja:1", "ZeroDivisionError"]),
    ],
)
def test_faults_of_templates_name_the_line(
    source: str, kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        ChatTemplate(source, where="here.jinja").render(CONVERSATIONS["short"])
    for word in words:
        assert word in str(caught.value)


def test_what_transformers_offers_is_there() -> None:
    source = (
        "{{ '{:>4}|{}'.format(7, 'x') }} {{ ['b', 'a'] | sort | join('-') }} {{ [1, 2] | sum }} "
        "{{ 'a-b'.split('-') | last }} {{ namespace(a=1).a }} {{ dict(a=1).items() | list }} "
        "{{ range(3) | map('string') | join }} {{ 'ab' * 2 }} {{ [1, 2, 3][::-1] }} {{ 2 ** 8 }} "
        "{{ 'a b'.title() }} {{ 'x'.center(3) }}| {{ '%s=%s' % ('k', 1) }} "
        "{{ 'x' | indent(2, true) }} "
        "{{ [1, 2, 3, 4] | batch(2) | list }} {{ {'a': 1} | tojson(indent=2) }} {{ 'é' | tojson }} "
        "{{ '<' | e }} {{ 7.7 | round | int }} {{ 'abc' | replace('b', '') | upper }} "
        "{% set j = joiner(', ') %}{% for i in [1, 2] %}{{ j() }}{{ i }}{% endfor %} "
        "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }} {{ loop is undefined }} "
        "{% for i in [1, 2] %}{{ loop.cycle('x', 'y') }}{{ loop.changed(1) }}{% endfor %} "
        "{% set y = 0 %}{% generation %}{% set y = 1 %}{{ y }}{% endgeneration %}{{ y }} "
        "{% filter upper %}up{% endfilter %} {% call(x) m() %}{{ x }}{% endcall %}"
    )
    source = "{% macro m() %}[{{ caller(5) }}]{% endmacro %}" + source
    transformers = pytest.importorskip("transformers")
    rendered, _ = transformers.utils.chat_template_utils.render_jinja_template(
        conversations=[CONVERSATIONS["short"]], chat_template=source
    )
    assert ChatTemplate(source).render(CONVERSATIONS["short"]) == rendered[0]
