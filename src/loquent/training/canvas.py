"""What curves are drawn on, and the canvas that becomes an SVG document."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, Protocol

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


class Canvas(Protocol):
    """Lines, dots and texts; x to the right, y down, in CSS pixels.

    A color is `#rrggbb`, or "axis" or "grid", which follow the theme.
    """

    def line(self, points: Sequence[Point], color: str, width: float, dashed: bool) -> None:
        """Draw a line through points."""

    def dots(self, points: Sequence[Point], color: str) -> None:
        """Draw a dot at each point."""

    def text(self, x: float, y: float, text: str, anchor: Anchor, strong: bool) -> None:
        """Draw a text whose foot is at y."""


_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.back { fill: #ffffff; }
.axis { stroke: #57606a; }
.grid { stroke: #d8dee4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.back { fill: #0d1117; }
.axis { stroke: #8b949e; }
.grid { stroke: #30363d; }
}
</style>"""


@dataclass
class Vector:
    """A canvas that becomes an SVG document (SVG 1.1), which follows a light or dark page."""

    pieces: list[str] = field(default_factory=list)

    def line(self, points: Sequence[Point], color: str, width: float, dashed: bool) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        paint = f'stroke="{color}"' if color.startswith("#") else f'class="{color}"'
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        self.pieces.append(
            f'<polyline points="{path}" fill="none" {paint} stroke-width="{width}"{dashes}/>'
        )

    def dots(self, points: Sequence[Point], color: str) -> None:
        """Draw a dot at each point."""
        self.pieces += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in points
        ]

    def text(self, x: float, y: float, text: str, anchor: Anchor, strong: bool) -> None:
        """Draw a text whose foot is at y."""
        weight = ' font-weight="600"' if strong else ""
        self.pieces.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
        )

    def document(self, width: float, height: float, title: str) -> str:
        """The document, of a size in CSS pixels."""
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        back = '<rect class="back" width="100%" height="100%"/>'
        return "\n".join(
            (head, f"<title>{escape(title)}</title>", _STYLE, back, *self.pieces, "</svg>", "")
        )
