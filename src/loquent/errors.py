"""Errors for people: what is wrong, where, and what to do about it."""

from collections.abc import Iterable, Sequence


class UserError(Exception):
    """Something that the user can mend; commands show it without a traceback."""

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        place = f"{where}: " if where else ""
        advice = f" {fix}" if fix else ""
        super().__init__(f"{place}{what}{advice}")


class UsageError(UserError):
    """A command or call was worded wrongly."""

    exit_status = 2


class ConfigError(UsageError):
    """A setting has an unknown name or an impossible value."""


class RequestError(UserError):
    """A request cannot be served as it was asked, such as a prompt that is too long."""


class DataError(UserError):
    """A record, a text or a file of data is not as it should be."""


class CheckpointError(UserError):
    """A model is missing, damaged or of a kind that is not executed here."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Advice that ends an error about an unknown name: the nearest valid one, or all of them."""
    from difflib import get_close_matches  # noqa: PLC0415  # only errors need it

    known = sorted(names)
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(repr(each) for each in close)}?"
    return f"Known: {', '.join(known)}." if known else ""


def together(kind: type[UserError], faults: Sequence[UserError]) -> UserError:
    """One error that reports all faults found, in the order in which they were found."""
    if len(faults) == 1:
        return faults[0]
    lines = "\n".join(f"  {fault}" for fault in faults)
    return kind(f"{len(faults)} faults:\n{lines}")
