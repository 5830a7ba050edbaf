"""Who guesses tokens ahead of a model: its own text, or a smaller model of the same tokens."""

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.drafts import DraftNetwork
from loquent.engine.native_network import NativeNetwork
from loquent.errors import UsageError
from loquent.lm.executor import Executor

LOOKUP = "lookup"  # a run of tokens that stands in the text already is expected to go on as it did


def draft_network(
    checkpoint: Checkpoint, executor: Executor, draft: Checkpoint, drafts: Executor, rows: int
) -> DraftNetwork:
    """The network of `draft`, to guess for that of `checkpoint`, which writes `rows` answers.

    Raises UsageError where one of them is not run natively, or their tokens differ.
    """
    network, smaller = executor.network, drafts.network
    name = draft.card.name
    if not isinstance(network, NativeNetwork) or not isinstance(smaller, NativeNetwork):
        raise UsageError(f"{name} can guess only where both models run in the native runtime.")
    vocabulary = network.config.vocabulary
    one, other = checkpoint.tokenizer, draft.tokenizer
    if one is None or other is None or one.vocabulary != other.vocabulary:
        raise UsageError(f"{name} cannot guess: it has not the tokens of {checkpoint.card.name}.")
    ids = range(one.vocabulary)
    differing = [
        id for id, pieces in enumerate(zip(one.pieces(ids), other.pieces(ids), strict=True))
        if pieces[0] != pieces[1]
    ]  # fmt: skip
    if differing:
        raise UsageError(
            f"{name} cannot guess: {len(differing)} of its tokens are not those of "
            f"{checkpoint.card.name}, the first of them {other.piece(differing[0])!r}."
        )
    decoder = network.config.decoder
    assert decoder is not None
    return DraftNetwork(
        smaller, rows, decoder.length or 0, smaller.bytes / network.bytes, vocabulary
    )
