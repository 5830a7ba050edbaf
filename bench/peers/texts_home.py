"""Where the race over texts keeps models that it converted."""

import os
from pathlib import Path

HOME = Path(os.environ.get("LOQUENT_HOME", "~/.cache/loquent")).expanduser() / "bench" / "texts"
