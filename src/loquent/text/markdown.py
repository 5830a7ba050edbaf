"""Which parts of a Markdown document are prose: all else, such as code, stays as it is."""

import re
from collections.abc import Iterator

from loquent.text.sentences import Span

_FENCE = re.compile(r"\s{0,3}(?P<fence>`{3,}|~{3,})")
# What stands before the prose of a line: quotes, list items, tasks, headings.
_PREFIX = re.compile(r"(?:\s*(?:>|[-*+](?=\s)|\d{1,9}[.)](?=\s)|#{1,6}(?=\s)|\[[ xX]\](?=\s)))*\s*")
_NOT_PROSE = re.compile(
    r"\s*(?:"
    r"\[[^\]]+\]:\s"  # the target of a link
    r"|</?[a-zA-Z!][^>]*>?\s*$|<!--"  # HTML alone on a line
    r"|(?:[-*_=]\s*){3,}$|[-=]+\s*$"  # a rule, or the underline of a heading
    r"|\|?(?:\s*:?-+:?\s*\|)+\s*:?-*:?\s*$"  # the line between a table's head and body
    r")"
)
_CELL = re.compile(r"(?:\\\||`[^`]*`|[^|`]|`)+")
_INDENTED = re.compile(r"(?: {4}|\t)\s*\S")


def prose(text: str) -> list[Span]:
    """The parts that are to be read, in order; a paragraph of several lines is one part."""
    made: list[Span] = []
    goes_on = False  # whether a line without a prefix belongs to the part before
    for start, end, line, is_prose in _lines(text):
        if not is_prose:
            goes_on = False
            continue
        prefix = _PREFIX.match(line)
        at = prefix.end() if prefix else 0
        first, last = start + at, start + len(line.rstrip())
        if line.lstrip().startswith("|") or re.search(r"(?<!\\)\|.*(?<!\\)\|", line):
            made += _cells(line, start)
            goes_on = False
        elif first < last:
            if goes_on and not line[:at].strip() and made:
                made[-1] = Span(made[-1].start, last)
            else:
                made.append(Span(first, last))
            hard_break = text[start:end].endswith(("  \n", "\\\n"))
            goes_on = not hard_break and "#" not in line[:at] and ">" not in line[:at]
        else:
            goes_on = False
    return made


def _lines(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """(start, end, line, whether it may be prose) of each line."""
    start, fence, after_blank, in_list = 0, "", True, False
    head = re.match(r"---\n.*?\n(?:---|\.\.\.)\n", text, re.DOTALL)
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end].rstrip("\n")
        found = _FENCE.match(line)
        is_prose = not fence and (head is None or start >= head.end())
        if fence:
            if found and found["fence"].startswith(fence) and not line[found.end() :].strip():
                fence = ""
        elif found:
            fence, is_prose = found["fence"], False
            in_list = in_list and line[:1].isspace()
        elif is_prose:
            item = re.match(r"\s*(?:[-*+]|\d{1,9}[.)])\s", line)
            in_list = bool(item) or (in_list and (not line.strip() or line[:1].isspace()))
            code = after_blank and not in_list and _INDENTED.match(line)
            is_prose = bool(line.strip()) and not code and not _NOT_PROSE.match(line)
            after_blank = not line.strip() or bool(code)
        yield start, end, line, is_prose
        start = end


def _cells(line: str, start: int) -> Iterator[Span]:
    for cell in _CELL.finditer(line):
        inner = cell[0]
        if inner.strip():
            first = start + cell.start() + len(inner) - len(inner.lstrip())
            yield Span(first, first + len(inner.strip()))
