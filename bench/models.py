"""A run of `loquent train` becomes a model that comes with Loquent, in 16 bits.

    python bench/models.py RUN NAME [--data FILE …]

RUN is the folder of a run; what it has learned, its `adapter/` where there is one and else its
`model/`, is written to src/loquent/models/NAME with each weight rounded to 16 bits. Then it is
opened as anybody would and judged on its test data and on the files of --data, from which its
card comes: the rounding and the native runtime in 8 bits are in the figures. Beside what
translates and summarizes stand others on the same texts (bench/rivals.py), so that one sees
whether it is worth anything; --first judges the first so many of each file.
"""

import argparse
import json
import random
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

import loquent
import rivals
from loquent.data.records import records

HERE = Path(__file__).parent
MODELS = Path(loquent.__file__).parent / "models"
LEFT = ("tokenizer", "special_tokens_map")  # of an adapter: its base has them
PIPELINES = {
    "classify": "text-classification",
    "translate": "translation",
    "summarize": "summarization",
}
USES = {
    "classify": 'print(loquent.open("{name}").read(["…"])[0].values)',
    "translate": 'print(loquent.translate("…", source="{source}", target="{target}", '
    'model="{name}").text)',
    "summarize": 'print(loquent.summarize("…", model="{name}").text)',
}
LIMIT_BYTES = 5_000_000
DRAWS = 1000


def main() -> None:
    """Write the folder, judge it, write its card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="further test data")
    parser.add_argument("--first", type=int, default=0, help="rows of each file; 0: all")
    given = parser.parse_args()
    about = tomllib.loads((HERE / "models.toml").read_text(encoding="utf-8"))
    folder = MODELS / given.name
    names = about[given.name].get("labels", {})
    write(given.run, folder, names)
    run = json.loads((given.run / "run.json").read_text(encoding="utf-8"))
    tests = [*run["plan"]["data"]["test"], *map(str, given.data)]
    lm = loquent.open(f"loquent:{given.name}")
    table = list(
        rivals.table(given.name, run["plan"], tests, given.first)
        if run["plan"]["task"] in rivals.TASKS
        else accuracies({name: judged(lm, Path(name), names) for name in tests})
    )
    card = "\n".join(written(given.name, about[given.name], run, table)) + "\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size < LIMIT_BYTES, f"{size} bytes are more than {LIMIT_BYTES}"
    print(card, f"{size:,} bytes in {folder}")


def write(run: Path, folder: Path, names: Mapping[str, str]) -> None:
    """What a run has learned, in 16 bits, its classes under the names for people."""
    adapter = run / "adapter"
    source = adapter if adapter.is_dir() else run / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix == ".safetensors":
            halves = {name: each.astype(np.float16) for name, each in load_file(path).items()}
            save_file(halves, folder / path.name)
            (folder / path.name).chmod(0o644)  # it is written for its owner alone
        elif path.name != "README.md" and not (source == adapter and path.stem.startswith(LEFT)):
            shutil.copyfile(path, folder / path.name)
    if names:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        told = {number: names[label] for number, label in config["id2label"].items()}
        config |= {"id2label": told, "label2id": {told[each]: int(each) for each in told}}
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")


def judged(lm: loquent.LM, path: Path, names: Mapping[str, str]) -> tuple[float, float, float, int]:
    """Accuracy, its 95 % interval by the bootstrap, and the number of examples."""
    rows = [record.values for record in records(path)]
    labels = lm.checkpoint.config.labels
    told = lm.read([row["text"] for row in rows], truncate="right")
    right = [
        labels[int(each.values.argmax())] == names.get(row["label"], row["label"])
        for each, row in zip(told, rows, strict=True)
    ]
    chance = random.Random(0)
    means = sorted(sum(chance.choices(right, k=len(right))) / len(right) for _ in range(DRAWS))
    low, high = means[round(0.025 * DRAWS)], means[round(0.975 * DRAWS) - 1]
    return sum(right) / len(right), low, high, len(right)


def accuracies(scores: Mapping[str, tuple[float, float, float, int]]) -> Iterator[str]:
    """The figures of a model that tells classes."""
    yield "| test data | accuracy | 95 % interval | examples |\n|---|---|---|---|"
    for path, (value, low, high, count) in scores.items():
        yield f"| {path} | {value:.4f} | {low:.4f} to {high:.4f} | {count:,} |"


def written(
    name: str, about: dict[str, str], run: dict[str, Any], table: Iterable[str]
) -> Iterator[str]:
    """The card."""
    base = run["plan"]["start"]["model"]
    yield f"---\nlibrary_name: loquent\nlicense: {about['license']}\nlanguage: {about['language']}"
    yield f"pipeline_tag: {PIPELINES[run['plan']['task']]}\n---"
    yield f"# {name}\n\n{about['what']}\n"
    if base:
        and_head = " and a head" if run["plan"]["task"] == "classify" else ""
        yield f"What is here are updates of low rank{and_head}; their base is `{base}`.\n"
    yield from table
    yield "\nAs the native runtime has it in 8 bits, from these weights of 16.\n"
    yield f"Data: {about['data']}\n"
    result = run["result"]
    yield (
        f"Trained by `bench/recipes/{about['recipe']}.toml` in {result['steps']:,} steps "
        f"({result['tokens']:,} tokens), made by `bench/models.py`. {about['limits']}\n"
    )
    columns = {each: run["plan"]["data"][each] for each in ("source", "target")}
    use = USES[run["plan"]["task"]].format(name=name, **columns)
    yield f"```python\nimport loquent\n\n{use}\n```"


if __name__ == "__main__":
    main()
