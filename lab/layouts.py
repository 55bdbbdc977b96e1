"""Pictures of how dashboards are laid out, for the docs: `python -m lab.layouts` draws them anew.

No Grafana is asked: headings, panels with their titles and units, and the bounds that they draw.
"""

from html import escape
from pathlib import Path

from lab.parts import REPOSITORY
from rollguard.cli.policy import read
from rollguard.model.documents import Json
from rollguard.render.dashboards.every import every
from rollguard.render.dashboards.filled import inside, objects
from rollguard.render.dashboards.grafana import COLUMNS, json_of
from rollguard.render.labels import Object

PICTURES = REPOSITORY / "docs" / "pictures"
PLATFORM = REPOSITORY / "examples" / "dubbing-platform" / "policy.yaml"
CELL_WIDTH, CELL_HEIGHT, GAP = 40, 17, 4
TITLE = 13
"""Height of a panel's title, in pixels."""
LETTER = 6.4
"""Width of a letter of a panel's title."""


def pictures(policy: Path = PLATFORM) -> dict[str, str]:
    """The SVG of each dashboard by the name of its file."""
    return {f"{each.uid}.svg": drawn(json_of(each)) for each in every(read(policy))}


def drawn(dashboard: Object) -> str:
    """The dashboard's grid as SVG."""
    panels = objects(dashboard.get("panels"))
    height = CELL_HEIGHT * max(_number(panel, "y") + _number(panel, "h") for panel in panels) + GAP
    shapes = "\n".join(_drawn(panel) for panel in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * CELL_WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">\n<title>{escape(str(dashboard.get("title")))}</title>\n'
        f'<rect width="100%" height="100%" fill="#111217"/>\n{shapes}\n</svg>\n'
    )


def _drawn(panel: Object) -> str:
    x, y = _number(panel, "x") * CELL_WIDTH, _number(panel, "y") * CELL_HEIGHT
    width, height = _number(panel, "w") * CELL_WIDTH - GAP, _number(panel, "h") * CELL_HEIGHT - GAP
    title = str(panel.get("title"))
    if panel.get("type") == "row":
        return f'<text x="{x + GAP}" y="{y + TITLE}" fill="#ccccdc" font-weight="bold">{escape(title)}</text>'
    unit = inside(panel, "fieldConfig", "defaults", "unit")
    about = f"{panel.get('type')}, {unit}"
    return "\n".join(
        (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="2" fill="#181b1f" stroke="#33363c"/>',
            f'<text x="{x + 8}" y="{y + TITLE + 3}" fill="#ccccdc">{escape(_short(title, width))}</text>',
            f'<text x="{x + 8}" y="{y + 2 * TITLE + 6}" fill="#7b8087" font-size="10">{escape(about)}</text>',
            *_bounds(panel, x, y, width, height),
        )
    )


def _bounds(panel: Object, x: int, y: int, width: int, height: int) -> list[str]:
    """The bounds as dashed lines, evenly: what is between them is the data's affair."""
    steps = objects(inside(panel, "fieldConfig", "defaults", "thresholds", "steps"))[1:]
    if panel.get("type") != "timeseries":
        return []
    below, room = y + height - 8, height - 3 * TITLE - 12
    lines = []
    for index, step in enumerate(steps):
        at = below - room * (index + 1) // (len(steps) + 1)
        colour = escape(str(step.get("color")))
        lines.append(
            f'<path d="M{x + 8} {at}H{x + width - 40}" stroke="{colour}" stroke-dasharray="6 4"/>'
            f'<text x="{x + width - 36}" y="{at + 4}" fill="{colour}" font-size="10">{step.get("value"):g}</text>'
        )
    return lines


def _short(title: str, width: int) -> str:
    most = int((width - 16) / LETTER)
    return title if len(title) <= most else f"{title[: most - 1]}…"


def _number(panel: Object, key: str) -> int:
    found: Json = inside(panel, "gridPos", key)
    return found if isinstance(found, int) else 0


def main() -> None:
    """Writes the pictures."""
    for name, text in pictures().items():
        (PICTURES / name).write_text(text)


if __name__ == "__main__":
    main()
