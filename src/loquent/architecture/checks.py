"""Rules that a description keeps, checked all at once."""

from collections.abc import Iterable

from loquent.errors import ConfigError, together


def check(*rules: tuple[object, str]) -> None:
    """Raise ConfigError with the messages of all rules that do not hold."""
    faults: Iterable[str] = (message for holds, message in rules if not holds)
    errors = [ConfigError(message) for message in faults]
    if errors:
        raise together(ConfigError, errors)
