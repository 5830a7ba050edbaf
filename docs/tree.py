"""Bring the file tree in CONTRIBUTING.md up to date: each file of `src` with its first sentence."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BETWEEN = re.compile(r"(<!-- tree -->\n```text\n).*?(```\n<!-- end -->)", re.DOTALL)
COLUMN = 40


def sentence(path: Path) -> str:
    """The first sentence of a file's own description."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    else:
        text = "\n".join(
            line[2:].strip() for line in text.splitlines() if line.startswith("//")
        ).strip()
    return re.split(r"(?<=[.?!:])\s*\n", text + "\n")[0].replace("\n", " ").strip()


def tree(folder: Path, depth: int = 0) -> list[str]:
    """A line for each folder and file below, packages first described by their `__init__`."""
    lines = []
    for path in sorted(folder.iterdir(), key=lambda each: (each.is_dir(), each.name)):
        indent = "  " * depth
        if path.is_dir() and path.name != "__pycache__":
            start = path / "__init__.py"
            about = sentence(start) if start.exists() else ""
            lines.append(f"{indent + path.name + '/':<{COLUMN}}{about}".rstrip())
            lines += tree(path, depth + 1)
        elif path.suffix in (".py", ".cpp", ".hpp") and path.name != "__init__.py":
            lines.append(f"{indent + path.name:<{COLUMN}}{sentence(path)}".rstrip())
    return lines


def page() -> str:
    """CONTRIBUTING.md as it should be."""
    made = "\n".join(tree(ROOT / "src" / "loquent")) + "\n"
    return BETWEEN.sub(lambda match: match[1] + made + match[2], PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
