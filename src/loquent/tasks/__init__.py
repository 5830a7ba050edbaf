"""Tasks: from records to ids, and what a network is trained to tell of them."""

from collections.abc import Mapping

from loquent.tasks.chat import CHAT
from loquent.tasks.classify import CLASSIFY, LABELS
from loquent.tasks.embed import EMBED
from loquent.tasks.fill import FILL
from loquent.tasks.generate import GENERATE
from loquent.tasks.hear import COMMAND, TRANSCRIBE
from loquent.tasks.span import SPAN
from loquent.tasks.speak import SPEAK
from loquent.tasks.tag import TAG
from loquent.tasks.task import Reading, Stacks, Task
from loquent.tasks.translate import SUMMARIZE, TRANSLATE

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        GENERATE,
        CHAT,
        CLASSIFY,
        LABELS,
        TAG,
        SPAN,
        TRANSLATE,
        SUMMARIZE,
        EMBED,
        FILL,
        COMMAND,
        TRANSCRIBE,
        SPEAK,
    )
}

__all__ = ["TASKS", "Reading", "Stacks", "Task"]
