"""How a call to a connection may fail besides what every delivery knows."""

from __future__ import annotations

from events.types import DeliveryRefused


class Missing(DeliveryRefused):
    """There is no such thing there, or not for us."""
