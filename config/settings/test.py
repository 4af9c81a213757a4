"""Settings of the tests: as the demo, with cheap passwords and plain static files."""

from config.settings.demo import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
LIVE_STREAM_URL = ""  # the test server of pages speaks WSGI and has no streams
