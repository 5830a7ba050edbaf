"""Random numbers that are counted instead of carried on (Salmon et al. 2011, Philox4x64-10).

They are those of `numpy.random.Generator(Philox(key))`, without that module's 7 MB and 10 ms.
"""

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)  # of the key, from round to round
_ROUNDS = 10
_MASK = 2**64 - 1


class Philox:
    """A stream of random numbers that `seed` and `index` name."""

    def __init__(self, seed: int, index: int) -> None:
        self._key = (seed & _MASK, index & _MASK)
        self._count = 0
        self._ready: list[int] = []

    def random(self) -> float:
        """A number from 0 to 1, which is never drawn itself, with 53 random bits."""
        if not self._ready:
            self._count += 1
            self._ready = _block(self._count, self._key)[::-1]
        return (self._ready.pop() >> 11) * 2.0**-53


def _block(count: int, key: tuple[int, int]) -> list[int]:
    """Four numbers of 64 bits."""
    a, b, c, d = count & _MASK, count >> 64, 0, 0
    first, second = key
    for _ in range(_ROUNDS):
        left, right = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b, c, d = right >> 64 ^ b ^ first, right & _MASK, left >> 64 ^ d ^ second, left & _MASK
        first, second = (first + _STEPS[0]) & _MASK, (second + _STEPS[1]) & _MASK
    return [a, b, c, d]
