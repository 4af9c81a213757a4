"""Django as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from config import celery  # noqa: F401 (doorbells ring through it)
from core.slim import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.demo")

application = Application(get_wsgi_application())
