"""Each task's examples against hand-made expectations."""

import numpy as np
import pytest

from loquent.data.reading import Record
from loquent.data.shapes import USUAL
from loquent.errors import DataError
from loquent.tasks import TASKS, Reading
from loquent.tasks.chat import CHATML, TURNS, WORDS, encoded, template_for, turns
from loquent.tasks.fill import hidden
from loquent.text.framing import framed
from loquent.text.learning import learn
from loquent.text.template import ChatTemplate

TEXTS = ["Hello there, how are you?", "I am well. And you?", "the cat sat on the mat"] * 20


@pytest.fixture(scope="module")
def tokenizer():
    """Bytes, of which each is an id."""
    return learn(TEXTS, "byte", 300, special=TURNS)[0]


@pytest.fixture(scope="module")
def words():
    """Merged bytes, without the tokens of ChatML."""
    return learn(TEXTS, "bpe", 330)[0]


def examples(task: str, values: list[dict], **reading) -> list:
    records = [
        TASKS[task].normal(Record(each, f"data.jsonl:{line}", line - 1), USUAL)
        for line, each in enumerate(values, 1)
    ]
    return list(TASKS[task].examples(records, Reading(**reading)))


def text_ids(tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, special=False, parse_special=False)


def test_the_table_names_each_task_by_its_own_name() -> None:
    assert all(name == task.name for name, task in TASKS.items())
    known = "generate chat classify labels tag span translate summarize embed fill"
    assert {*known.split(), "command", "transcribe", "speak"} == set(TASKS)


def test_a_text_stands_between_begin_and_end(tokenizer) -> None:
    [made] = examples("generate", [{"text": "Hi <s>"}], tokenizer=tokenizer)
    expected = [tokenizer.begin, *text_ids(tokenizer, "Hi <s>"), tokenizer.end]
    assert made.ids.tolist() == expected
    assert made.learned is None
    # the name of a special token in a text is text
    assert made.ids.tolist().count(tokenizer.begin) == 1


def test_pieces_of_a_running_text_go_on_in_each_other(tokenizer) -> None:
    pieces = [
        {"text": "one\n", "continues": True},
        {"text": "two\n", "continued": True, "continues": True},
        {"text": "three", "continued": True},
    ]
    made = examples("generate", pieces, tokenizer=tokenizer)
    whole = [id for each in made for id in each.ids.tolist()]
    middle = text_ids(tokenizer, "one\ntwo\nthree")
    assert whole == [tokenizer.begin, *middle, tokenizer.end]


MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye-bye."},
]


def test_of_a_conversation_only_the_answers_are_learned(tokenizer) -> None:
    [made] = examples("chat", [{"messages": MESSAGES}], tokenizer=tokenizer)
    start, end = (tokenizer.id(piece) for piece in TURNS)
    golden: list[int] = []
    marks: list[bool] = []
    for message in MESSAGES:
        head = [start, *text_ids(tokenizer, f"{message['role']}\n")]
        body = [*text_ids(tokenizer, message["content"]), end]
        line = text_ids(tokenizer, "\n")
        answer = message["role"] == "assistant"
        golden += head + body + line
        marks += [False] * len(head) + [answer] * len(body) + [False] * len(line)
    assert made.ids.tolist() == golden
    assert made.learned.tolist() == marks
    learned = [id for id, mark in zip(golden, marks, strict=True) if mark]
    assert tokenizer.decode(learned, special=True) == "Hi!<|im_end|>Bye-bye.<|im_end|>"


def test_training_reads_what_the_model_will_be_asked(tokenizer) -> None:
    [made] = examples("chat", [{"messages": MESSAGES[:3]}], tokenizer=tokenizer)
    template = template_for(tokenizer)
    asked = tokenizer.encode(template.render(MESSAGES[:2]), special=False)
    assert made.ids.tolist()[: len(asked)] == asked
    assert not made.learned[: len(asked)].any()
    assert made.learned[len(asked)]


def test_prompts_become_conversations_where_there_is_a_template(tokenizer) -> None:
    pair = {"prompt": "Hello", "completion": "Hi!"}
    [plain] = examples("chat", [pair], tokenizer=tokenizer)
    expected = [tokenizer.begin, *text_ids(tokenizer, "Hello")]
    assert plain.ids.tolist()[: len(expected)] == expected
    answer = [*text_ids(tokenizer, "Hi!"), tokenizer.end]
    assert plain.ids[plain.learned].tolist() == answer
    other = learn(TEXTS, "byte", 300, special=TURNS)[0]
    other.template = ChatTemplate(CHATML)
    [made] = examples("chat", [pair], tokenizer=other)
    [same] = examples("chat", [{"messages": MESSAGES[1:3]}], tokenizer=tokenizer)
    assert made.ids.tolist() == same.ids.tolist()


def test_an_answer_that_shares_a_token_with_its_prompt_is_cut_as_when_it_is_written(words) -> None:
    template = template_for(words)
    assert template.source == WORDS
    [made] = turns(template, MESSAGES[1:3])
    before = template.render(MESSAGES[1:2])
    whole = words.encode(made.text, special=False)
    asked = words.encode(before, special=False)
    ids, learned = encoded(words, made)
    assert ids[: len(asked)] == asked
    assert not any(learned[: len(asked)])
    assert words.decode([id for id, mark in zip(ids, learned, strict=True) if mark]) == "Hi!"
    assert words.ends & {id for id, mark in zip(ids, learned, strict=True) if mark}
    assert words.decode(whole) == words.decode(ids)


def test_a_message_of_weight_0_is_not_learned(tokenizer) -> None:
    marked = [dict(each) for each in MESSAGES]
    marked[2]["weight"] = 0
    [made] = examples("chat", [{"messages": marked}], tokenizer=tokenizer)
    assert tokenizer.decode(made.ids[made.learned].tolist()) == "Bye-bye."


def test_a_template_that_rewrites_earlier_answers_gives_an_example_for_each(tokenizer) -> None:
    shortening = ChatTemplate(
        "{% for m in messages %}{{ m.role }}:"
        "{% if loop.last or m.role != 'assistant' %}{{ m.content }}{% else %}…{% endif %}\n"
        "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    made = list(turns(shortening, MESSAGES))
    assert [each.text[slice(*each.spans[0])] for each in made] == ["Hi!", "Bye-bye."]
    assert "…" in made[1].text
    assert len(made[0].text) < len(made[1].text)


def test_a_template_that_breaks_its_own_prompt_is_an_error(tokenizer) -> None:
    broken = ChatTemplate(
        "{% for m in messages %}<{{ m.content }}>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    with pytest.raises(DataError, match="renders message 3 otherwise"):
        list(turns(broken, MESSAGES))


def test_a_conversation_without_an_answer_is_an_error(tokenizer) -> None:
    with pytest.raises(DataError, match=r"data.jsonl:1: has no answer"):
        examples("chat", [{"messages": MESSAGES[:2]}], tokenizer=tokenizer)


def test_a_class_is_the_number_of_its_name(tokenizer) -> None:
    values = [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]
    made = examples("classify", values, tokenizer=tokenizer, labels=("no", "yes"))
    assert [each.labels.tolist() for each in made] == [[1], [0]]
    assert made[0].ids.tolist() == framed(tokenizer, "good")
    with pytest.raises(DataError, match=r"data.jsonl:1: the label 'yess' .* Did you mean 'yes'"):
        examples("classify", [{"text": "a", "label": "yess"}], tokenizer=tokenizer, labels=("yes",))
    with pytest.raises(DataError, match="has 2 labels"):
        values = [{"text": "a", "label": ["yes", "no"]}]
        examples("classify", values, tokenizer=tokenizer, labels=("no", "yes"))
    with pytest.raises(DataError, match="has no label"):
        examples("classify", [{"text": "a"}], tokenizer=tokenizer, labels=("no", "yes"))


def test_a_pair_of_texts_may_have_a_class(tokenizer) -> None:
    values = [{"sentence1": "a cat", "sentence2": "an animal", "label": 1}]
    [made] = examples("classify", values, tokenizer=tokenizer, labels=("0", "1"))
    one, other = text_ids(tokenizer, "a cat"), text_ids(tokenizer, "an animal")
    assert made.ids.tolist() == [tokenizer.begin, *one, tokenizer.end, *other, tokenizer.end]
    assert made.labels.tolist() == [1]


def test_labels_are_flags(tokenizer) -> None:
    values = [{"text": "a", "labels": ["x", "z"]}, {"text": "b", "labels": []}]
    made = examples("labels", values, tokenizer=tokenizer, labels=("x", "y", "z"))
    assert [each.labels.tolist() for each in made] == [[1, 0, 1], [0, 0, 0]]


def test_the_first_piece_of_a_word_carries_its_tag(tokenizer) -> None:
    values = [{"tokens": ["Ada", "sings"], "tags": ["B-PERSON", "O"]}]
    [made] = examples("tag", values, tokenizer=tokenizer, labels=("B-PERSON", "O"))
    assert tokenizer.decode(made.ids.tolist()) == "Ada sings"
    assert made.labels.tolist() == [0, -1, -1, 1, -1, -1, -1, -1, -1]
    with pytest.raises(DataError, match="2 words, but 1 tags"):
        examples("tag", [{"tokens": ["a", "b"], "tags": ["O"]}], tokenizer=tokenizer)
    with pytest.raises(DataError, match="'tags' is no list of words"):
        examples("tag", [{"tokens": ["a", "b"]}], tokenizer=tokenizer)


def test_a_translation_is_read_by_the_encoder_and_learned_by_the_decoder(tokenizer, words) -> None:
    values = [{"source": "die Katze", "target": "the cat"}]
    [made] = examples("translate", values, tokenizer=tokenizer, source=words)
    assert made.source.tolist() == framed(words, "die Katze")
    target = text_ids(tokenizer, "the cat")
    assert made.ids.tolist() == [tokenizer.begin, *target, tokenizer.end]
    assert made.learned is None
    [other] = examples("translate", [{"prompt": "a", "completion": "b"}], tokenizer=tokenizer)
    assert other.ids.tolist() == [tokenizer.begin, *text_ids(tokenizer, "b"), tokenizer.end]
    with pytest.raises(DataError, match="kind 'text', where pair or prompt is needed"):
        examples("translate", [{"text": "a"}], tokenizer=tokenizer)


def test_a_tuned_models_target_is_framed_as_its_makers_do(tokenizer, words) -> None:
    """BART writes </s> <s> … </s>, T5 <pad> … </s>; a start that frames it stands there once."""
    values = [{"source": "a", "target": "the cat"}]
    target = text_ids(tokenizer, "the cat")
    frames = {
        tokenizer.end: [tokenizer.end, tokenizer.begin, *target, tokenizer.end],
        tokenizer.begin: [tokenizer.begin, *target, tokenizer.end],
    }
    for start, wanted in frames.items():
        [made] = examples("translate", values, tokenizer=tokenizer, start=start)
        assert made.ids.tolist() == wanted
    [made] = examples("summarize", values, tokenizer=tokenizer, source=words, prefix="say: ")
    assert made.source.tolist() == framed(words, "say: a")


def test_both_texts_of_a_pair_are_embedded(tokenizer) -> None:
    [made] = examples("embed", [{"anchor": "a", "positive": "b"}], tokenizer=tokenizer)
    assert made.ids.tolist() == framed(tokenizer, "a")
    assert made.source.tolist() == framed(tokenizer, "b")


def test_hidden_ids_are_those_that_are_asked_for(tokenizer) -> None:
    text = "the cat sat on the mat " * 40
    values = [{"text": text}]
    made = examples("fill", values, tokenizer=tokenizer, length=200, seed=3)
    again = examples("fill", values, tokenizer=tokenizer, length=200, seed=3)
    other = examples("fill", values, tokenizer=tokenizer, length=200, seed=4)
    assert len(made) == -(-len(framed(tokenizer, text)) // 200)
    whole = [
        np.where(each.labels >= 0, each.labels, each.ids).tolist() for each in made
    ]  # what was hidden is in the labels
    assert [id for each in whole for id in each] == framed(tokenizer, text)
    assert all((one.ids == two.ids).all() for one, two in zip(made, again, strict=True))
    assert any((one.ids != two.ids).any() for one, two in zip(made, other, strict=True))


def test_the_shares_of_hidden_ids_are_those_of_the_paper() -> None:
    special = np.zeros(100, bool)
    special[:4] = True
    ids = np.resize(np.arange(2, 100, dtype=np.int32), 200_000)
    read, labels = hidden(ids, special, 3, np.random.default_rng(0))
    asked = labels >= 0
    assert not asked[special[ids]].any()
    assert asked.mean() == pytest.approx(0.15, abs=0.005)
    assert (read[asked] == 3).mean() == pytest.approx(0.8, abs=0.01)
    assert (read[asked] == ids[asked]).mean() == pytest.approx(0.1, abs=0.01)
    assert (read[~asked] == ids[~asked]).all()
    alone = hidden(np.array([50], np.int32), special, 3, np.random.default_rng(1))
    assert alone[1].tolist() == [50]


def test_a_task_that_hides_needs_a_mask(tiny_gpt2) -> None:
    from loquent.text.folder import open_tokenizer  # noqa: PLC0415

    with pytest.raises(DataError, match="no token for what is hidden"):
        examples("fill", [{"text": "a"}], tokenizer=open_tokenizer(tiny_gpt2))


def test_texts_for_tokenizers(tokenizer) -> None:
    def texts(task: str, values: dict) -> tuple:
        return TASKS[task].texts(TASKS[task].normal(Record(values, "x:1", 0), USUAL))

    assert texts("generate", {"text": "a"}) == ((), ("a",))
    assert texts("translate", {"source": "a", "target": "b"}) == (("a",), ("b",))
    assert texts("chat", {"messages": MESSAGES[1:3]}) == ((), ("Hello", "Hi!"))
    assert texts("chat", {"prompt": "a", "completion": "b"}) == ((), ("a", "b"))
    assert texts("classify", {"text": "a", "label": 1}) == ((), ("a",))
    assert texts("tag", {"tokens": ["a", "b"], "tags": "O O"}) == ((), ("a b",))
    assert texts("embed", {"source": "a", "target": "b"}) == ((), ("a", "b"))
    assert texts("fill", {"text": "a"}) == ((), ("a",))
