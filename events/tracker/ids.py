"""Ids that sort by the time they were made (UUID version 7), so that new rows land at the end of an index."""

from __future__ import annotations

import os
import time
import uuid


def new_id() -> uuid.UUID:
    """A version 7 UUID of this moment: 48 bits of milliseconds, then 74 random bits (RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & ((1 << 48) - 1)) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)
