"""How the admin looks: its name and its colours."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Stagepass admin",
    "SITE_HEADER": "Stagepass",
    "SITE_SUBHEADER": "Administration",
    "SITE_SYMBOL": "verified",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .19 259.8)",
            "600": "oklch(54.6% .2 262.9)",
            "700": "oklch(48.8% .2 264.4)",
            "800": "oklch(42.4% .18 265.6)",
            "900": "oklch(37.9% .14 265.5)",
            "950": "oklch(28.2% .09 267.9)",
        }
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}
