"""Small charts that are drawn here, as part of a page: each says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _EDGE = 96, 26, 4


def sparkline(values: Sequence[int | None], worst: int, label: str) -> Markup:
    """Placements as a line, the best at the top.

    Args:
        values: the oldest first; where there is None the line is broken.
        worst: the placement at the bottom. The axis is fixed, so that lines compare.
        label: says in words what is shown.
    """
    step = (_WIDTH - 2 * _EDGE) / max(1, len(values) - 1)
    height = (_HEIGHT - 2 * _EDGE) / max(1, worst - 1)
    points = [
        None if value is None else (_EDGE + index * step, _EDGE + (min(value, worst) - 1) * height)
        for index, value in enumerate(values)
    ]
    path = " ".join(
        f"{'M' if index == 0 or points[index - 1] is None else 'L'}{point[0]:.1f} {point[1]:.1f}"
        for index, point in enumerate(points)
        if point is not None
    )
    dots = Markup("").join(
        Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(
            f"{point[0]:.1f}", f"{point[1]:.1f}", 3 if index == len(points) - 1 else 2, "won" if value == 1 else "dot"
        )
        for index, (point, value) in enumerate(zip(points, values, strict=True))
        if point is not None
    )
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<path d="{}"/>{}</svg>'
    ).format(label, _WIDTH, _HEIGHT, _WIDTH, _HEIGHT, path, dots)


def bar(share: float) -> Markup:
    """A share of 0 to 1 as a bar, beside the figure that says it."""
    wide = round(100 * min(1.0, max(0.0, share)), 1)
    return Markup(
        '<svg class="bar-of" aria-hidden="true" width="64" height="8" viewBox="0 0 100 8" preserveAspectRatio="none">'
        '<rect class="whole" width="100" height="8"/><rect class="part" width="{}" height="8"/></svg>'
    ).format(wide)
