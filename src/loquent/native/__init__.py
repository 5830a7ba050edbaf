"""The native runtime: C++ behind a small typed face."""

from loquent.native._core import cpu_features

__all__ = ["cpu_features"]
