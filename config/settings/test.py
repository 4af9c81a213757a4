"""Settings of the tests: as the demo, with cheap passwords and plain static files."""

from config.settings.demo import *  # noqa: F403
from config.settings.demo import STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
ALLOWED_HOSTS = ["*"]
