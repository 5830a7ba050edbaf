"""English as it is said: what is written in figures and signs becomes words, and is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loquent.text.english_numbers import cardinal, ordinal, year
from loquent.text.spoken_english import roman, spoken_english

SAID = [
    # numbers
    ("7 items", "seven items"),
    ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
    ("3.14", "three point one four"),
    ("it is -2.5 now", "it is minus two point five now"),
    ("007", "zero zero seven"),
    (".5", "zero point five"),
    ("192.168.0.1", "one hundred ninety-two point one hundred sixty-eight point zero point one"),
    ("v1.2.3", "version one point two point three"),
    ("6.02×10^23", "six point zero two times ten to the power of twenty-three"),
    ("6×10⁻³", "six times ten to the power of minus three"),
    ("1e-5", "one times ten to the power of minus five"),
    ("No. 5 and #1", "number five and number one"),
    ("pp. 5-7", "pages five to seven"),
    ("10–20 people", "ten to twenty people"),
    # ordinals, shares
    ("the 3rd, 21st and 1,000th", "the third, twenty-first and one thousandth"),
    ("1/2 cup", "one half cup"),
    ("2 1/2 cups", "two and a half cups"),
    ("3/4", "three quarters"),
    ("1½ or ½", "one and a half or one half"),
    ("24/7", "twenty-four seven"),
    # money
    ("cost $4.50.", "cost four dollars and fifty cents."),
    ("$1", "one dollar"),
    ("$0.99", "ninety-nine cents"),
    ("$0.01", "one cent"),
    ("$1,234.56", "one thousand two hundred thirty-four dollars and fifty-six cents"),
    ("$3.2 billion", "three point two billion dollars"),
    ("€5M", "five million euros"),
    ("£0.99", "ninety-nine pence"),
    ("¥500", "five hundred yen"),
    ("5 €", "five euros"),
    ("2,000 USD", "two thousand US dollars"),
    ("EUR 5", "five euros"),
    ("-$5", "minus five dollars"),
    # shares and measures
    ("3.2%", "three point two percent"),
    ("10-20%", "ten to twenty percent"),
    ("20°C", "twenty degrees Celsius"),
    ("at -5 °F", "at minus five degrees Fahrenheit"),
    ("60 mph", "sixty miles per hour"),
    ("5'11\"", "five feet eleven"),
    ("1 km", "one kilometer"),
    ("3 MB/s", "three megabytes per second"),
    ("3.5 kg", "three point five kilograms"),
    # dates and times
    ("March 5, 2024", "March fifth, twenty twenty-four"),
    ("Jan. 5th", "January fifth"),
    ("5 March 2024", "the fifth of March, twenty twenty-four"),
    ("the 5th of March", "the fifth of March"),
    ("Mon, Dec 25", "Monday, December twenty-fifth"),
    ("2024-03-05", "March fifth, twenty twenty-four"),
    ("10/12/2019", "October twelfth, twenty nineteen"),
    ("31/12/2019", "December thirty-first, twenty nineteen"),
    ("May 1999", "May nineteen ninety-nine"),
    ("9:30 am", "nine thirty A M"),
    ("at 14:05", "at fourteen oh five"),
    ("7:00", "seven o'clock"),
    ("at 5 p.m. Then", "at five P M. Then"),
    ("at 5 p.m. today", "at five P M today"),
    ("in 1999", "in nineteen ninety-nine"),
    ("in 1900, 2000 and 2005", "in nineteen hundred, two thousand and two thousand five"),
    ("the 1990s", "the nineteen nineties"),
    ("the '80s", "the eighties"),
    ("1914-18", "nineteen fourteen to nineteen eighteen"),
    # names and short forms
    ("Dr. Smith vs. Mrs. Jones", "doctor Smith versus missus Jones"),
    ("12 Elm Dr. is", "twelve Elm drive is"),
    ("St. James St.", "saint James street."),
    ("Apple Inc. is", "Apple incorporated is"),
    ("He works at Apple Inc.", "He works at Apple incorporated."),
    ("e.g. this", "for example this"),
    ("World War II", "World War two"),
    ("Henry VIII", "Henry the eighth"),
    ("Louis XIV", "Louis the fourteenth"),
    ("I am ill", "I am ill"),
    # acronyms
    ("NASA and the FBI", "nasa and the F B I"),
    ("the U.S. embassy", "the U S embassy"),
    ("CDs and GPUs", "C D's and G P U's"),
    ("MP3s and A6s", "M P threes and A sixes"),
    ("STOP THE FIRE NOW", "stop the fire now"),
    ("COVID-19 MP3 5G H2O", "covid nineteen M P three five G H two O"),
    # signs and addresses
    ("R&D", "R and D"),
    ("5 × 3 = 15", "five times three equals fifteen"),
    ("α particles", "alpha particles"),
    ("😀", "grinning face"),
    ("mail bob.smith@mail.org now", "mail bob dot smith at mail dot org now"),
    ("see https://example.com/a-b.", "see example dot com slash a dash b."),
    ("(555) 123-4567", "five five five, one two three, four five six seven"),
    # left alone
    ("Don't stop — it's well-known; really!", "Don't stop — it's well-known; really!"),
    ("", ""),
]


@pytest.mark.parametrize(("written", "said"), SAID, ids=[written for written, _ in SAID])
def test_what_is_written_is_said(written: str, said: str) -> None:
    assert spoken_english(written).text == said


def test_what_was_read_is_told() -> None:
    made = spoken_english("On May 3 it cost $4.50.")
    told = [(each.kind, each.written, each.said) for each in made.readings]
    assert told == [
        ("date", "May 3", "May third"),
        ("money", "$4.50", "four dollars and fifty cents"),
    ]
    assert made.readings[1].plain()["kind"] == "money"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.,-/:$€%°abAB MPkg'()#&×½αé😀\n", max_size=40))
def test_no_figure_is_left_and_nothing_fails(text: str) -> None:
    made = spoken_english(text).text
    assert not any(each.isdecimal() for each in made)
    assert "😀" not in made


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (100, "one hundred"),
        (101, "one hundred one"),
        (1_000_000_000_000, "one trillion"),
        (-17, "minus seventeen"),
        (110_000, "one hundred ten thousand"),
    ],
)
def test_whole_numbers(number: int, words: str) -> None:
    assert cardinal(number) == words


def test_numbers_without_a_name_are_read_by_digits() -> None:
    assert spoken_english("1" * 40).text == " ".join(["one"] * 40)
    with pytest.raises(ValueError, match="no name"):
        cardinal(10**40)


def test_which_one_and_years() -> None:
    assert [ordinal(each) for each in (1, 2, 12, 20, 32, 100)] == [
        "first", "second", "twelfth", "twentieth", "thirty-second", "one hundredth",
    ]  # fmt: skip
    assert [year(each) for each in (1066, 1805, 2010)] == [
        "ten sixty-six", "eighteen oh five", "twenty ten",
    ]  # fmt: skip


def test_roman_numerals_are_those_that_are_written_so() -> None:
    assert [roman(each) for each in ("IV", "XIV", "XC", "IIII", "VX")] == [4, 14, 90, 0, 0]
