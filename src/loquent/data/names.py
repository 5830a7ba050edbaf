"""The usual names of columns, by which records are understood."""

# The first of each row that a record has is taken; names are compared in lower case.
TEXT = (
    "text",
    "content",
    "sentence",
    "review",
    "review_text",
    "tweet",
    "document",
    "body",
    "comment",
    "message",
    "sms",
    "title",
)
LABEL = (
    "label",
    "labels",
    "class",
    "category",
    "categories",
    "sentiment",
    "label_text",
    "intent",
    "emotion",
    "topic",
    "rating",
    "target",
)

# What is read and what is written, where neither needs a template.
PAIRS = (
    ("source", "target"),
    ("src", "tgt"),
    ("src", "trg"),
    ("article", "highlights"),
    ("article", "summary"),
    ("document", "summary"),
    ("dialogue", "summary"),
    ("text", "summary"),
    ("text", "target"),
    ("email", "subject"),
    ("anchor", "positive"),
    ("sentence1", "sentence2"),
)

# What is asked and what is answered.
PROMPTS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("input", "output"),
)

# Conversations: the list's name.
MESSAGES = ("messages", "conversations", "conversation", "dialog")

# Roles of ShareGPT and of others, as chat templates call them.
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_call": "assistant",
}

# Codes of languages that name the columns of a translation; not id and no, which mean other things.
LANGUAGES = frozenset(
    "ar bg bn ca cs da de el en es et eu fa fi fr ga gl he hi hr hu is it ja kk ko lt lv mk ms mt "  # noqa: SIM905
    "nb nl nn pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur vi zh".split()
)

KNOWN = frozenset(
    {*TEXT, *LABEL, *MESSAGES, *LANGUAGES, "chosen", "rejected", "id", "tokens", "tags"}
    | {name for pair in (*PAIRS, *PROMPTS) for name in pair}
)


def is_language(name: str) -> bool:
    """Whether a column is named by a language, such as `de`, `zh_CN` or `en-us`."""
    return name.lower().replace("-", "_").partition("_")[0] in LANGUAGES
