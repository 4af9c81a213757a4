"""How the admin looks: its name and its colours."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Stagepass admin",
    "SITE_HEADER": "Stagepass",
    "SITE_SUBHEADER": "Administration",
    "SITE_SYMBOL": "verified",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icons/stagepass.svg")}],
    "STYLES": [lambda request: static("css/admin.css")],
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        # The shades of the console's accent, see static/css/stagepass.css.
        "primary": {
            "50": "#f4f5fe",
            "100": "#eceefc",
            "200": "#d5daf8",
            "300": "#b3bbf2",
            "400": "#8592e8",
            "500": "#5f6fdb",
            "600": "#4353c9",
            "700": "#3644b0",
            "800": "#2e3a91",
            "900": "#283275",
            "950": "#20233f",
        }
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}
