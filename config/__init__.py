"""The whole put together: settings, URLs, servers, Celery, and the local stack."""
