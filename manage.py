#!/usr/bin/env python
"""Django's command line for Stagepass."""

import os
import sys


def main() -> None:
    from config.stack import environment

    environment.load()  # the addresses of a running script/up
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.demo")
    from django.core.management import execute_from_command_line

    from config import celery  # noqa: F401 (doorbells ring through it)

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
