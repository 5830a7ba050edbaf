"""The card of a trained model: what it is, of what it was made, how good it is, how to use it."""

from collections.abc import Iterator, Mapping
from typing import Any

from loquent.metrics import Score
from loquent.runs.asking import languages_of
from loquent.runs.networks import NETWORKS
from loquent.runs.plan import Plan
from loquent.runs.result import Result
from loquent.tasks import TASKS

# Hugging Face's names of tasks.
_PIPELINES = {
    "generate": "text-generation",
    "chat": "text-generation",
    "classify": "text-classification",
    "labels": "text-classification",
    "tag": "token-classification",
    "span": "question-answering",
    "translate": "translation",
    "summarize": "summarization",
    "embed": "sentence-similarity",
    "fill": "fill-mask",
    "command": "audio-classification",
    "transcribe": "automatic-speech-recognition",
    "speak": "text-to-speech",
}


def written_card(plan: Plan, card: Mapping[str, Any], result: Result) -> str:
    """README.md for a run and its model, with the header that the Hugging Face hub reads."""
    return "\n".join([*_header(plan), *_body(plan, card, result), ""])


def _header(plan: Plan) -> Iterator[str]:
    yield "---"
    yield "library_name: loquent"
    yield f"pipeline_tag: {_PIPELINES[plan.task]}"
    languages = languages_of(plan.data) if plan.task == "translate" else ()
    if languages:
        yield f"language: [{', '.join(languages)}]"
    if plan.start.model:
        yield f"base_model: {plan.start.model}"
    yield "tags: [loquent]" if plan.start.model else f"tags: [loquent, {plan.network.kind}]"
    yield "---"


def _body(plan: Plan, card: Mapping[str, Any], result: Result) -> Iterator[str]:
    yield f"# {result.folder.name}"
    yield ""
    yield f"A network that was trained to {TASKS[plan.task].does}."
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in _facts(plan, card, result):
        yield f"| {name} | {value} |"
    for part in ("validation", "test"):
        scores: Mapping[str, Score] = getattr(result, part)
        if scores:
            yield ""
            yield f"## {part.capitalize()}"
            yield ""
            yield "| metric | value | 95 % interval | examples |"
            yield "|---|---|---|---|"
            for score in scores.values():
                bounds = f"{score.low:.4g} to {score.high:.4g}"
                yield f"| {score.name} | {score.value:.4g} | {bounds} | {score.examples:,} |"
    yield ""
    yield "## Data"
    yield ""
    for receipt in card["receipts"]:
        yield f"- {receipt}"
    yield ""
    yield "## Use"
    yield ""
    yield "```python"
    yield "import loquent"
    yield ""
    name = result.folder.name
    if TASKS[plan.task].speaks:
        yield f'loquent.speak("Good morning.", voice="{name}").save("morning.wav")'
    else:
        yield f'model = loquent.open("{name}")'
    yield "```"


def _facts(plan: Plan, card: Mapping[str, Any], result: Result) -> Iterator[tuple[str, str]]:
    if plan.start.model:
        how = f", low-rank updates of rank {plan.start.lora}" if plan.start.lora else ""
        yield "start", f"{plan.start.model}{how}"
        if plan.start.lora:
            yield "adapter", f"{card['adapter']}"
    else:
        network = plan.network
        yield "network", f"{network.kind}, {network.size}: {NETWORKS[network.kind].does}"
        if plan.start.embedding:
            yield "tokenizer and first vectors", plan.start.embedding
        else:
            yield "tokenizer", plan.tokenizer.model or plan.tokenizer.kind
    yield "parameters", f"{card['parameters']:,}"
    yield "training data", ", ".join(plan.data.train)
    yield "steps", f"{result.steps:,} (the weights are those of step {result.best_step:,})"
    yield "tokens", f"{result.tokens:,}"
    yield "time", f"{result.seconds:,.0f} s"
    yield "optimizer", f"{plan.training.optimizer}, rate {plan.training.rate:g}"
    yield "seed", str(plan.training.seed)
    yield "versions", ", ".join(f"{name} {each}" for name, each in card["versions"].items())
