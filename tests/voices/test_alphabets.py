"""Our phonemes in espeak's alphabet."""

import pytest

from loquent.voices.alphabets import espeak


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("twˈɛntiθɹˌi", "twˈɛntiθɹˌiː"),
        ("nˈu ɹˈulz", "nˈuː ɹˈuːlz"),
        ("dˈɑləɹz", "dˈɑːlɚz"),
        ("fˈɔɹ kˈɔst", "fˈoːɹ kˈɔːst"),
        ("bˈɜɹd kˈɑɹ", "bˈɜːd kˈɑːɹ"),
        ("ˈA ˌI nˈO hˌW bˈY", "ˈeɪ ˌaɪ nˈoʊ hˌaʊ bˈɔɪ"),
        ("ʤˈʌʤ ʧˈɜɹʧ", "dʒˈʌdʒ tʃˈɜːtʃ"),
        ("θˈɜɹTi ˈæpᵊl", "θˈɜːɾi ˈæpəl"),
    ],
)
def test_phonemes(ours: str, theirs: str) -> None:
    assert espeak(ours) == theirs


def test_marks_that_a_voice_lacks_become_simpler() -> None:
    known = set("dˈɔːɡ ,.")
    assert espeak("dˈɔɡ — (dˈɔɡ), dˈɔɡ…", known) == "dˈɔːɡ, dˈɔːɡ, dˈɔːɡ."
    assert espeak("dˈɔɡ — dˈɔɡ…") == "dˈɔːɡ — dˈɔːɡ…"
