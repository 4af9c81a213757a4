"""Files of applications in an S3-compatible store: as django-storages does it, with less patience."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 3


class S3Blobs(S3Storage):
    """A bucket whose objects never change; a store that hangs holds a request up for seconds, not minutes."""

    def get_default_settings(self) -> dict[str, Any]:
        patience = Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
        )
        # The same name is the same bytes, so writing over it changes nothing.
        return {**super().get_default_settings(), "client_config": patience, "file_overwrite": True}
