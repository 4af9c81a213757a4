"""The geometry of small charts, drawn on the server as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 100.0, 32.0


def line(values: Sequence[float]) -> dict[str, Any]:
    """Points of a polyline and of the area under it, in a box of 100 by 32."""
    if len(values) < 2:
        return {"points": "", "area": ""}
    top = max(values) or 1
    step = WIDTH / (len(values) - 1)
    points = [f"{index * step:.2f},{HEIGHT - 1 - (HEIGHT - 3) * value / top:.2f}" for index, value in enumerate(values)]
    return {"points": " ".join(points), "area": " ".join([f"0,{HEIGHT:.0f}", *points, f"{WIDTH:.0f},{HEIGHT:.0f}"])}


def bars(values: Sequence[float | None]) -> list[dict[str, Any]]:
    """One rectangle for each value; a zero keeps a hairline, so that it differs from None, which is no data."""
    if not values:
        return []
    top = max((value for value in values if value is not None), default=0) or 1
    slot = WIDTH / len(values)
    return [
        {
            "x": f"{index * slot + slot * 0.12:.2f}",
            "width": f"{slot * 0.76:.2f}",
            "y": f"{HEIGHT - max(1.0, HEIGHT * (value or 0) / top):.2f}",
            "height": f"{max(1.0, HEIGHT * (value or 0) / top):.2f}",
            "value": value,
        }
        for index, value in enumerate(values)
    ]
