"""The house stands on floors: a module imports from its own folder and from lower floors only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import loquent

SOURCE = Path(loquent.__file__).parent

FLOORS = [
    {"errors", "settings", "architecture", "digest", "blas"},
    {"blocks", "native", "text", "audio", "metrics"},
    {"graphs", "model"},
    {"checkpoints", "engine", "change", "data"},
    {"lm", "voices"},
    {"tasks", "training"},
    {"evaluation", "explain", "safety", "search", "runs"},
    {"commands", "server"},
    {"__init__", "__main__"},
]

# The only modules that may import torch; everything else works without it.
TORCH = {
    "blocks/*",
    "model/*",
    "change/*",
    "training/*",
    "runs/*",
    "engine/foreign_network.py",
    "engine/torch_memory.py",
    "engine/torch_network.py",
    "engine/torch_reading.py",
    "checkpoints/foreign.py",
    "checkpoints/files/legacy_child.py",
}


def floor(part: str) -> int:
    return next((height for height, parts in enumerate(FLOORS) if part in parts), -1)


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """Every import of a file, lazily imported modules and `import_module("…")` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield (*str(node.module).split("."), alias.name)
        elif isinstance(node, ast.Constant) and is_module_name(node.value):
            yield tuple(str(node.value).split("."))


def is_module_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and value.startswith("loquent.")
        and value.replace(".", "a").isidentifier()
    )


def part_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def test_modules_import_only_their_own_folder_and_lower_floors() -> None:
    upward = []
    for path, tree in modules():
        here = part_of(path)
        for name in imports(tree):
            if name[0] != "loquent" or len(name) == 1 or name[1] == here:
                continue
            ground = floor(here) == 0 and name[1] == "errors"
            if floor(name[1]) >= floor(here) and not ground:
                upward.append(f"{path} imports {'.'.join(name)}")
    assert not upward


def test_every_module_has_a_floor() -> None:
    known = set().union(*FLOORS)
    assert {part_of(path) for path, _ in modules()} <= known


def test_only_the_named_modules_import_torch() -> None:
    found = set()
    for path, tree in modules():
        if any(name[0] == "torch" for name in imports(tree)):
            folder = f"{path.parts[0]}/*"
            found.add(folder if folder in TORCH else path.as_posix())
    assert found <= TORCH


def test_there_is_no_cycle_of_imports() -> None:
    names = {path: ".".join(("loquent", *path.with_suffix("").parts)) for path, _ in modules()}
    graph: dict[str, set[str]] = {}
    for path, tree in modules():
        edges = set()
        for name in imports(tree):
            for known in names.values():
                package = known.removesuffix(".__init__")
                if package in (".".join(name), ".".join(name[:-1])):
                    edges.add(known)
        graph[names[path]] = edges - {names[path]}
    done: set[str] = set()

    def visit(node: str, path: tuple[str, ...]) -> None:
        assert node not in path, " → ".join((*path, node))
        if node in done:
            return
        for other in sorted(graph[node]):
            visit(other, (*path, node))
        done.add(node)

    for node in sorted(graph):
        visit(node, ())
