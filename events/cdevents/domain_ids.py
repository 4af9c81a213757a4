"""domainIds of CDEvents: the canonical name of a thing that sends no CDEvents, such as a ticket in Jira."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

SCHEME, EDITION = "cdevents", "v0"
PROVIDERS = frozenset(
    {
        "artifactory", "argo", "bitbucket", "circleci", "datadog", "docker", "gitea", "github", "gitlab", "grafana",
        "jenkins", "jira", "linear", "nexus", "pagerduty", "tekton", "stagepass",
    }
)  # fmt: skip
_SHAPE = re.compile(r"cdevents:v0:[^:]*:[^:]*:[^:]*:([^:/]([^:]*[^:/])?)?:[^:]+:.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DomainId:
    """Its segments, decoded; only the type and the resource are always there."""

    type: str
    resource: str
    provider: str = ""
    provider_id: str = ""
    namespace: str = ""
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        groups = "/".join(_quoted(group) for group in self.groups)
        parts = (self.provider, _quoted(self.provider_id), _quoted(self.namespace), groups, self.type)
        return ":".join((SCHEME, EDITION, *parts, _quoted(self.resource)))


def parse_domain_id(text: str) -> DomainId | None:
    """The segments; None when it is none, or its escapes are no UTF-8."""
    if not _SHAPE.fullmatch(text):
        return None
    _, _, provider, provider_id, namespace, groups, type_, resource = text.split(":", 7)
    try:
        return DomainId(
            type_,
            _unquoted(resource),
            provider,
            _unquoted(provider_id),
            _unquoted(namespace),
            tuple(_unquoted(group) for group in groups.split("/")) if groups else (),
        )
    except UnicodeDecodeError:
        return None


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8")


_GITHUB = re.compile(r"https?://github\.com/([^/]+)/([^/]+)/(pull|issues|commit|tree)/([^/?#]+)")
_GITLAB = re.compile(r"https?://gitlab\.com/([^/]+)/(.+?)/-/(merge_requests|issues|commit|tree)/([^/?#]+)")
_JIRA = re.compile(r"https?://([^/.]+)\.atlassian\.net/browse/([A-Za-z][A-Za-z0-9_]*)-(\d+)")
_TYPES = {"pull": "pr", "merge_requests": "pr", "issues": "issue", "commit": "commit", "tree": "branch"}


def domain_id_of(url: str) -> DomainId | None:
    """The domainId of a page of GitHub, GitLab or Jira; None for any other address."""
    if match := _GITHUB.match(url):
        return DomainId(_TYPES[match[3]], match[4], "github", "", match[1], (match[2],))
    if match := _GITLAB.match(url):
        return DomainId(_TYPES[match[3]], match[4], "gitlab", "", match[1], tuple(match[2].split("/")))
    if match := _JIRA.match(url):
        return DomainId("issue", f"{match[2]}-{match[3]}".upper(), "jira", match[1], "", (match[2].upper(),))
    return None
