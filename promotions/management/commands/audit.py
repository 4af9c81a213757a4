"""manage.py audit verify | rebuild --from … | accept …: the audit trail from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.context import acting_through
from core.errors import DomainError
from promotions.audit.push import accept_foreign_commit
from promotions.audit.rebuild import rebuild_from
from promotions.audit.repository import RepositoryBusy
from promotions.audit.verify import Audit


class Command(BaseCommand):
    help = "Compare database, fact chain and audit repository, or restore requests from the repository."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser(
            "verify", help="Name the first place where the records differ; exit 1 if there is one."
        )
        verify.add_argument("--all", action="store_true", help="Name every place.")
        rebuild = verbs.add_parser("rebuild", help="Restore requests and their history into an empty database.")
        rebuild.add_argument("--from", dest="source", type=Path, required=True, help="A clone or bare repository.")
        accept = verbs.add_parser("accept", help="Note that somebody else's commit was looked at and may stay.")
        accept.add_argument("commit", help="Its full id.")
        accept.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting_through("cli"):
                getattr(self, options["verb"])(**options)
        except DomainError as error:
            raise CommandError(error.message) from error
        except RepositoryBusy as error:
            raise CommandError(str(error)) from error

    def verify(self, *, all: bool = False, **options: Any) -> None:
        audit, found = Audit(), 0
        for difference in audit.differences():
            found += 1
            self.stdout.write(str(difference))
            if not all:
                break
        if found:
            raise SystemExit(1)
        self.stdout.write(audit.summary())

    def rebuild(self, *, source: Path, **options: Any) -> None:
        rebuilt = rebuild_from(source=source)
        self.stdout.write(f"Restored {rebuilt.requests} requests with {rebuilt.facts} facts from {source}.")
        self.verify(all=True)

    def accept(self, *, commit: str, reason: str, **options: Any) -> None:
        accept_foreign_commit(commit=commit, reason=reason, login=os.environ.get("USER", ""))
        self.stdout.write(f"Noted: {commit[:12]} may stay.")
