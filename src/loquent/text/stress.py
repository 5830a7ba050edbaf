"""Where a word's stress stands in phonemes: ˈ before the main syllable, ˌ before a lesser one."""

MAIN, LESSER = "ˈ", "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵊᵻɐeo")
_CLEAR = VOWELS - {"ᵊ", "ɐ"}  # that can carry a stress


def stressed(phonemes: str) -> bool:
    """Whether a main stress is there."""
    return MAIN in phonemes


def lessened(phonemes: str) -> str:
    """With the main stress as a lesser one."""
    return phonemes.replace(LESSER, "").replace(MAIN, LESSER) if MAIN in phonemes else phonemes


def marked(phonemes: str, mark: str) -> str:
    """With a stress before the first vowel, where there is none at all."""
    if MAIN in phonemes or LESSER in phonemes:
        return phonemes
    place = next((n for n, each in enumerate(phonemes) if each in _CLEAR), None)
    return phonemes if place is None else phonemes[:place] + mark + phonemes[place:]


def joined(parts: list[str]) -> str:
    """Parts of one compound in one word: no more than half of them keep their main stress.

    Of "twenty-three" the longer part keeps it, of letters that are spelled the last one.
    """
    made = list(parts)
    strong = [place for place, each in enumerate(made) if stressed(each)]
    spare = len(strong) - (len(parts) + 1) // 2
    for place in sorted(strong, key=lambda each: (len(made[each]), each))[: max(spare, 0)]:
        made[place] = lessened(made[place])
    return "".join(made)


def spelled(letters: list[str]) -> str:
    """Letters by name, the last one stressed most: "FBI"."""
    return "".join([*map(lessened, letters[:-1]), *letters[-1:]])
