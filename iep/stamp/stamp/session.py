"""What every command needs: its settings, its mouth, the service, and which ticket it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stamp import credentials
from stamp.errors import Conflict, Unknown, Usage
from stamp.git import Git
from stamp.names import ticket_in_branch, ticket_key
from stamp.out import Out
from stamp.settings import Settings, load

if TYPE_CHECKING:
    from stamp.client import Service
    from stamp.tree import Tree

STAGES = ("dev", "qa", "prod")


@dataclass
class Session:
    """One run of one command."""

    command: str
    options: Mapping[str, Any]

    @cached_property
    def settings(self) -> Settings:
        return load(self.options)

    @cached_property
    def out(self) -> Out:
        given = self.options
        return Out(self.command, bool(given.get("json")), bool(given.get("quiet")), bool(given.get("verbose")))

    @property
    def dry_run(self) -> bool:
        return bool(self.options.get("dry_run"))

    @cached_property
    def service(self) -> Service:
        from stamp.client import Service

        chosen = self.settings
        token = credentials.token_for(chosen.server)
        if chosen.server.startswith("http://") and not _is_local(chosen.server):
            self.out.warn(f"{chosen.server} is not encrypted: whoever listens on the way can read your token.")
        return Service(chosen.server, token, chosen.retries, chosen.timeout, say=self.out.detail)

    @cached_property
    def tree(self) -> Tree:
        from stamp.tree import Tree

        return Tree(self.settings.root, self.settings.folder, self.settings.exclude)

    @cached_property
    def application(self) -> str:
        """The one that was named, or the only one that this person may see."""
        if self.settings.application:
            return self.settings.application
        known = [each["app"] for each in self.service.get("/applications").body]
        if len(known) == 1:
            return str(known[0])
        if not known:
            raise Unknown("There is no application that you may see.", hint="Ask for a role in its tenant.")
        raise Usage("Which application?", hint=f"-a NAME, or `application` in .stamp.toml: {', '.join(known)}.")

    @cached_property
    def ticket(self) -> str:
        """The ticket of this command: named, by STAMP_TICKET, in .stamp.toml, or in the branch's name."""
        typed = self.settings.ticket
        if typed:
            return ticket_key(typed, self.settings.prefix)
        branch = Git(self.settings.root).branch()
        if key := ticket_in_branch(branch):
            self.out.talk(f"{key}, after the branch {branch}")
            return key
        raise Usage("Which ticket?", hint=f"stamp {self.command} TKT-001")

    @property
    def address(self) -> str:
        return f"/applications/{quote(self.application, safe='')}/stamps/{quote(self.ticket, safe='')}"

    def stamp(self) -> dict[str, Any]:
        """The ticket's stamp as the service has it now."""
        return dict(self.service.get(self.address).body)

    def stages(self) -> list[str]:
        """The stages named with -d, -q, -p."""
        return [stage for stage in STAGES if self.options.get(stage)]

    def expect_stage(self, stamp: Mapping[str, Any]) -> None:
        """With -d, -q or -p the ticket has to be there; Conflict otherwise."""
        wanted = self.stages()
        if wanted and stamp["stage"] not in wanted:
            raise Conflict(
                f"{self.ticket} is in {stamp['stage']}, not in {' or '.join(wanted)}.", code="wrong_stage",
                hint=f"stamp status {self.ticket}",
            )  # fmt: skip


def _is_local(server: str) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(server).hostname or ""
    return host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
