"""Translations: what is asked sentence by sentence, and what comes through as it was."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import loquent
from loquent import LM
from loquent.errors import RequestError, UsageError
from loquent.tasks import asking, directions, sentencewise, translating
from loquent.tasks.translating import Translation, translate


class Shouting:
    """Translates by writing in capitals, and may lose what it should keep."""

    def __init__(self, loses: Callable[[str], str] = lambda text: text) -> None:
        self.loses = loses
        self.asked: list[str] = []

    def __call__(self, asked: Sequence[tuple[object, str]]) -> list[tuple[str, bool]]:
        self.asked += [text for _, text in asked]
        return [(self._shouted(text), False) for _, text in asked]

    def _shouted(self, text: str) -> str:
        words = self.loses(text).split(" ")
        keep = ("{", "<", "http", "`", "%", "[", "]", "*")
        return " ".join(each if any(k in each for k in keep) else each.upper() for each in words)


@pytest.fixture(scope="module")
def writer(tiny_gpt2: Path) -> LM:
    return loquent.open(tiny_gpt2, bits=32)


@pytest.fixture
def shouted(writer: LM) -> Callable[..., tuple[Translation, Shouting]]:
    def made(
        text: str, ask: Shouting | None = None, *, markdown: bool = False,
        terms: dict[str, str] | None = None, source: str = "en", target: str = "de",
    ) -> tuple[Translation, Shouting]:  # fmt: skip
        ask = ask or Shouting()
        how = asking.manner(writer)
        job = sentencewise.Job(
            writer, text, source, target, how, markdown=markdown, terms=terms or {}
        )
        sentencewise.carry_out(ask, [job])
        return job.finished(), ask

    return made


def test_sentences_are_asked_for_one_by_one_and_all_else_stays(shouted) -> None:
    text = "  The first one. The second one!\n\n\tAnd the third,\nbroken.\n"
    made, ask = shouted(text)
    assert made.text == "  THE FIRST ONE. THE SECOND ONE!\n\n\tAND THE THIRD,\nBROKEN.\n"
    assert ask.asked[:2] == ["The first one.", "The second one!"]
    assert made.kept == made.apart == 0
    assert made.sentences == len(ask.asked)


def test_what_must_come_through_does(shouted) -> None:
    text = "Dear {name}, see https://a.org/b?c=1 or <b>this</b> for %s."
    made, ask = shouted(text)
    assert made.text == "DEAR {name}, SEE https://a.org/b?c=1 OR <b>this</b> FOR %s."
    assert (made.kept, made.apart) == (5, 0)
    assert ask.asked == [text]


def test_where_it_is_lost_what_stands_between_is_asked_for_alone(shouted) -> None:
    text = "Dear {name}, you have {count} letters. All is well."
    made, ask = shouted(text, Shouting(lambda each: each.replace("{count}", "many")))
    assert made.text == "DEAR {name}, YOU HAVE {count} LETTERS. ALL IS WELL."
    assert made.apart == 1
    assert ask.asked[2:] == ["Dear", "you have", "letters."]
    twice, _ = shouted(text, Shouting(lambda each: each.replace("{name}", "{name} {name}")))
    assert twice.text == made.text


def test_terms_become_what_they_must(shouted) -> None:
    terms = {"license": "Lizenz", "free software": "freie Software"}
    text = "The License of free software is a license."
    made, ask = shouted(text, terms=terms)
    assert ask.asked[0] == "The Lizenz of freie Software is a Lizenz."
    assert made.apart == 1  # the shouting has spoiled them
    assert made.text == "THE Lizenz OF freie Software IS A Lizenz."


def test_markdown_keeps_code_and_links(shouted) -> None:
    text = "# A title\n\n- see [the page](http://a.org) now\n\n```python\nprint('no prose')\n```\n"
    made, _ = shouted(text, markdown=True)
    assert "print('no prose')" in made.text
    assert made.text.startswith("# A TITLE\n\n- SEE [")
    assert "](http://a.org) NOW" in made.text
    plain, _ = shouted(text)
    assert "PRINT(" in plain.text


def test_spaces_between_sentences_follow_the_script(shouted) -> None:
    made, _ = shouted("One is here. Two is here.\n\nThree.", source="en", target="zh")
    assert made.text == "ONE IS HERE.TWO IS HERE.\n\nTHREE."
    made, _ = shouted("Erster Satz。Zweiter Satz。", source="zh", target="en")
    assert made.text == "ERSTER SATZ。 ZWEITER SATZ。"


def test_what_holds_no_letter_is_not_asked_for(shouted) -> None:
    made, ask = shouted("12 + 34 = 46\n\n***\n\nhttps://a.org")
    assert ask.asked == []
    assert made.text == "12 + 34 = 46\n\n***\n\nhttps://a.org"


def test_a_long_sentence_is_divided(shouted) -> None:
    text = "this is a clause of some words, " * 60 + "and an end."
    made, ask = shouted(text)
    assert made.text == text.upper()
    assert len(ask.asked) > 2


def test_the_language_is_found_or_asked_for(writer: LM, shouted) -> None:
    german = "Das Haus ist schön, und der Garten ist noch viel schöner."
    made, _ = shouted(german, source="", target="en")
    assert (made.source, made.detected, made.doubt) == ("de", True, "")
    made, _ = shouted(german, source="fr", target="en")
    assert (made.source, made.detected, made.doubt) == ("fr", False, "de")
    with pytest.raises(RequestError, match="language of the text cannot be told"):
        translate(writer, ["ok"], target="de")
    with pytest.raises(RequestError, match="is in German already"):
        translate(writer, [german], target="de")
    with pytest.raises(UsageError, match=r"no language 'germn'.*german"):
        translate(writer, [german], target="germn")
    with pytest.raises(RequestError, match="empty"):
        translate(writer, [" "], target="de")


def test_names_and_regions_of_languages_are_understood() -> None:
    spelled = {"German": "de", "de": "de", "de_AT": "de", "zh-CN": "zh", " EN ": "en"}
    assert {given: translating.code_of(given) for given in spelled} == spelled


def test_a_model_that_does_not_write_is_refused(tiny_bert: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="does not write translations"):
        translate(loquent.open(tiny_bert("BertModel")), ["Hello there."], target="de")


def test_the_manner_of_a_model_is_read_from_its_files(tmp_path: Path, tiny_gpt2: Path) -> None:
    import json  # noqa: PLC0415
    import shutil  # noqa: PLC0415

    folder = tmp_path / "opus-mt-de-en"
    shutil.copytree(tiny_gpt2, folder)
    config = json.loads((folder / "config.json").read_text())
    config["task_specific_params"] = {
        "summarization": {"prefix": "shorten: "},
        "translation_de_to_en": {"prefix": "German to English: "},
    }
    (folder / "config.json").write_text(json.dumps(config))
    how = asking.manner(loquent.open(folder, bits=32))
    assert how.summary_prefix() == "shorten: "
    assert how.translation_prefix("de", "en") == "German to English: "
    assert how.translation_prefix("en", "de") == ""
    assert (how.languages, how.one_way, how.own) == (("de", "en"), True, False)
    how.check_pair("de", "en")
    with pytest.raises(RequestError, match="from German to English only"):
        how.check_pair("en", "de")
    with pytest.raises(RequestError, match="not for French"):
        how.check_pair("fr", "en")
    card = "---\nlibrary_name: loquent\nlanguage:\n- de\n- 'fr'\n---\n# A model\n"
    (folder / "README.md").write_text(card)
    how = asking.manner(loquent.open(folder, bits=32))
    assert (how.languages, how.one_way, how.own) == (("de", "fr"), False, True)
    (folder / "README.md").write_text(card.replace("language:\n- de\n- 'fr'", "language: [en, zh]"))
    assert asking.manner(loquent.open(folder, bits=32)).languages == ("en", "zh")


@pytest.mark.weights
def test_the_default_model_translates_by_instruction(smollm: LM) -> None:
    (made,) = translate(
        smollm, ["Good morning, {name}!\n\nThank you very much."], source="en", target="fr"
    )
    assert made.sentences == 2
    assert "{name}" in made.text
    assert "\n\n" in made.text
    assert made.text.lower().count("good morning") == 0


def test_a_model_with_an_encoder_is_asked_with_its_prefix(tiny_t5: LM) -> None:
    (made,) = translate(
        tiny_t5, ["The work is licensed.\n\nAll of the work."], source="en", target="de"
    )
    start = "translate English to German: "
    longest = max(
        len(tiny_t5.tokenizer.encode(each, special=False))
        for each in ("The work is licensed.", "All of the work.")
    )
    answers = tiny_t5.generate(
        [f"{start}The work is licensed.", f"{start}All of the work."],
        temperature=0,
        beams=4,
        max_tokens=2 * longest + 32,
    )
    assert made.text == "\n\n".join(each.text.strip() for each in answers)
    assert made.cut == sum(each.finish == "length" for each in answers)
    (other,) = translate(
        tiny_t5, ["The work is licensed."], source="en", target="de", prefix="in German: ", beams=1
    )
    wanted = tiny_t5.generate("in German: The work is licensed.", temperature=0, beams=1,
                              max_tokens=2 * longest + 32)  # fmt: skip
    assert other.text == wanted.text.strip()


def test_tokens_of_languages_tell_the_direction(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: PLC0415

    words = ["<s>", "<pad>", "</s>", "<unk>", "en_XX", "de_DE", "zh_CN", "the", "work", "das"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="en_XX $A </s>", pair="en_XX $A $B </s>", special_tokens=[("en_XX", 4), ("</s>", 2)]
    )
    folder = tmp_path / "mbart"
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        bos_token="<s>", additional_special_tokens=["en_XX", "de_DE", "zh_CN"],
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(2)
    transformers.MBartForConditionalGeneration(
        transformers.MBartConfig(
            vocab_size=len(words),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            max_position_embeddings=64,
            decoder_start_token_id=2,
        )
    ).save_pretrained(folder)
    lm = loquent.open(folder, bits=32)
    told = directions.direction(lm, asking.manner(lm), "en", "de")
    assert told == ("", 5)
    (made,) = translate(lm, ["the work"], source="en", target="zh", beams=1)
    answer = lm.generate("the work", forced_first=6, beams=1, temperature=0, max_tokens=36)
    assert answer.ids[0] == 6
    assert made.text == answer.text.strip()
    with pytest.raises(RequestError, match="no token for French"):
        directions.direction(lm, asking.manner(lm), "en", "fr")
    with pytest.raises(RequestError, match="frames texts with en_XX </s>, and not as German"):
        directions.direction(lm, asking.manner(lm), "de", "en")
