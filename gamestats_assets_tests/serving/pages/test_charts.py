"""Charts that are drawn on the server."""

from __future__ import annotations

import re
from datetime import date, timedelta

from gamestats_assets.serving.pages.charts import Point, course

FIRST = date(2026, 3, 9)


def test_an_axis_follows_its_values_with_far_marks_at_its_edge() -> None:
    points = [Point(FIRST + timedelta(days=n), float(n), None, None, str(n)) for n in range(7)]
    after = [(FIRST + timedelta(days=number), f"after {number} days") for number in (3, 9, 260)]
    drawn = str(course(points, after, label="a skill"))
    assert re.findall(r'class="of-x"[^>]*>([^<]*)<', drawn) == ["2026-03-09", "2026-03-18"]
    marks = dict(re.findall(r'<g class="mark"><title>([^<]*)</title>(.*?)</g>', drawn))
    stands = {said: "since" in shape for said, shape in marks.items()}
    assert stands == {"after 3 days": True, "after 9 days": True, "after 260 days": False}
    ends = {said: re.findall(r'd="M([\d.]+) [\d.]+l', shape) for said, shape in marks.items()}
    assert ends["after 260 days"] == ends["after 9 days"], "at the right edge"
