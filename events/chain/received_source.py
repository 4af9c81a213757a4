"""What received CDEvents and links say: subjects, what they refer to, and the messages by which links name them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from accounts.roles import Capability
from events.chain.emitted import read_emitted
from events.chain.keys import (
    SHA,
    TICKET_KEY,
    artifact_key,
    bounded,
    change_key,
    commit_key,
    is_change_address,
    scoped,
    split_purl,
    ticket_key,
)
from events.chain.kinds import EdgeKind, NodeKind, State, environment_named
from events.chain.statements import Ref, Statement
from events.models import DomainEvent, ReceivedEvent

AUDIENCE = (Capability.VIEW_EVENTS.value,)
Said = dict[str, Any]


def read_events(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """One statement for each received event; its body is read for what the fact does not repeat."""
    received = ReceivedEvent.objects.filter(pk__in=[fact.data["received"] for fact in facts])
    bodies = dict(received.values_list("pk", "body"))
    senders = _senders(facts)
    for fact in facts:
        yield _Reading(fact, bodies.get(fact.data["received"]) or {}, senders).statement()
    yield from read_emitted((fact.tenant_id or 0, end) for fact in facts for end in _ends(fact.data["links"]))


Senders = dict[tuple[int, str], list[str]]


def _senders(facts: Sequence[DomainEvent]) -> Senders:
    """Which sources sent each context id that these events have or name, the first one first."""
    ids = {fact.data["event"]["id"] for fact in facts} | {end for fact in facts for end in _ends(fact.data["links"])}
    sent = ReceivedEvent.objects.filter(tenant__in={fact.tenant_id for fact in facts}, event_id__in=ids).order_by("pk")
    senders: Senders = {}
    for tenant, key, source in sent.values_list("tenant_id", "event_id", "source"):
        senders.setdefault((tenant, key), []).append(source)
    return senders


def read_links(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """One statement for each link that was received by itself."""
    for fact in facts:
        data = fact.data
        told = _statement(fact, f"link:{fact.subject_id}", data["timestamp"])
        chains = (data["chain_id"],) if data["chain_id"] else ()
        source, target = (_end(told, data[name], chains) for name in ("source", "target"))
        _join(told, data["type"], data["kind"], source, target)
        yield told
    yield from read_emitted((fact.tenant_id or 0, end) for fact in facts for end in _ends([fact.data]))


def _ends(links: Sequence[Said]) -> Iterator[str]:
    """The context ids that links name."""
    for link in links:
        for name in ("from", "source", "target"):
            if isinstance(link.get(name), dict) and link[name].get("context_id"):
                yield str(link[name]["context_id"])


def _statement(fact: DomainEvent, ref: str, at: str) -> Statement:
    return Statement(fact.tenant_id or 0, bounded(ref), 1, dt.datetime.fromisoformat(at), AUDIENCE)


def _end(told: Statement, end: dict[str, str], chains: tuple[str, ...] = ()) -> Ref | None:
    """What one end of a link stands for: a message by its id, or a thing by its domainId."""
    if end.get("domain_id"):
        kind, key = _of_domain_id(end["domain_id"])
        return told.name(kind, key, chains=chains)
    if end.get("context_id"):
        return told.name(NodeKind.MESSAGE, bounded(end["context_id"]), chains=chains)
    return None


_DOMAIN = {
    "issue": NodeKind.TICKET, "commit": NodeKind.COMMIT, "pr": NodeKind.CHANGE, "artifact": NodeKind.ARTIFACT,
    "environment": NodeKind.ENVIRONMENT, "alert": NodeKind.INCIDENT,
}  # fmt: skip
_HOSTS = {"github": "https://github.com", "gitlab": "https://gitlab.com"}


def _of_domain_id(text: str) -> tuple[NodeKind, str]:
    """`cdevents:v0:<provider>:<provider-id>:<namespace>:<groups>:<type>:<resource id>`"""
    parts = [unquote(part) for part in text.split(":")]
    if len(parts) < 8:
        return NodeKind.BUILD, bounded(text)
    provider, _, namespace, groups, kind, key = parts[2], parts[3], parts[4], parts[5], parts[6], ":".join(parts[7:])
    node = _DOMAIN.get(kind, NodeKind.BUILD)
    if node == NodeKind.TICKET:
        return node, ticket_key(key)
    if node == NodeKind.COMMIT:
        return node, commit_key(key)
    if node == NodeKind.ENVIRONMENT:
        return node, environment_named(key)
    if node == NodeKind.CHANGE and provider in _HOSTS:
        path = "/".join(part for part in (namespace, groups) if part)
        return node, change_key(key, f"{_HOSTS[provider]}/{path}")
    return node, bounded(key if node == NodeKind.ARTIFACT else text)


_CAUSES = {"triggeredby", "causedby", "createdby", "derivedfrom", "parent"}


def _join(told: Statement, link: str, kind: str, source: Ref | None, target: Ref | None) -> None:
    """PATH and END lead on; a RELATION leads from a ticket to what names it, and the way its kind says."""
    if source is None or target is None:
        return
    backward = link == "RELATION" and (
        kind.lower().replace("_", "") in _CAUSES or target[0] == NodeKind.TICKET.value != source[0]
    )
    cause, effect = (target, source) if backward else (source, target)
    told.lead(cause, EdgeKind.NAMES if NodeKind.TICKET.value in (cause[0], effect[0]) else EdgeKind.LINKED, effect)


class _Reading:
    """One received event while it is turned into a statement."""

    def __init__(self, fact: DomainEvent, body: Said, senders: Senders) -> None:
        self.data, event, self.senders = fact.data, fact.data["event"], senders
        self.event, self.subject = event, self.data["subject"]
        self.told = _statement(fact, f"cdevent:{event['source']}#{event['id']}", event["timestamp"])
        self.at = self.told.at
        content, custom = body.get("subject", {}).get("content"), body.get("customData")
        self.content: Said = content if isinstance(content, dict) else {}
        ours = custom.get("stagepass") if isinstance(custom, dict) else None
        self.custom: Said = ours if isinstance(ours, dict) else {}
        self.chains = (event["chain_id"],) if event["chain_id"] else ()
        self.commits: list[Ref] = []  # of a change
        self.references: dict[str, Said] = {each["role"]: each for each in self.data["references"]}

    def statement(self) -> Statement:
        read = _SUBJECTS.get(self.event["subject"].rpartition("-")[2])
        main = read(self) if read else None
        message = self.told.name(NodeKind.MESSAGE, self.message_key(self.event["id"]), chains=self.chains)
        if main is not None:
            self.told.lead(main, EdgeKind.SAME, message)
            self.told.lead(message, EdgeKind.SAME, main)
            self.name_tickets([main, *self.commits])
        for link in self.data["links"]:
            self.follow(link, message)
        return self.told

    def message_key(self, key: str) -> str:
        """Links give an id alone: it is meant of this source if that sent it, else of whoever used it first."""
        senders = self.senders.get((self.told.tenant_id, key), [])
        return scoped(self.event["source"], key) if self.event["source"] in senders[1:] else bounded(key)

    def end(self, end: dict[str, str]) -> Ref | None:
        """What an end of a link in this event stands for."""
        if end.get("context_id") and not end.get("domain_id"):
            return self.told.name(NodeKind.MESSAGE, self.message_key(end["context_id"]))
        return _end(self.told, end)

    def thing(self, kind: NodeKind, key: str, **claims: Any) -> Ref:
        return self.told.name(kind, key, chains=self.chains, **claims)

    def follow(self, link: Said, message: Ref) -> None:
        """A link in the event's context: PATH comes from somewhere, RELATION leads to its target."""
        if link["type"] == "PATH":
            _join(self.told, "PATH", "", self.end(link.get("from", {})), message)
        elif link["type"] == "RELATION":
            _join(self.told, "RELATION", str(link.get("kind", "")), message, self.end(link.get("target", {})))

    def name_tickets(self, things: Sequence[Ref]) -> None:
        """The tickets of a change are those of its commits too: what was built of these belongs to them."""
        for key in [*self.data["tickets"], *self.data["mentions"]]:
            ticket = self.told.name(NodeKind.TICKET, ticket_key(key))
            for thing in things:
                if thing[0] == NodeKind.INCIDENT.value:
                    self.told.lead(thing, EdgeKind.TRACKED_BY, ticket)
                else:
                    self.told.lead(ticket, EdgeKind.NAMES, thing)

    def reference(self, role: str) -> str:
        return str(self.references.get(role, {}).get("id", ""))

    def text(self, *names: str) -> str | None:
        """The first text of these in the content or in what our own webhooks add."""
        for name in names:
            for place in (self.content, self.custom):
                if isinstance(place.get(name), str) and place[name]:
                    return str(place[name])
        return None

    def times(self, *ends: str) -> Said:
        """When it began or ended, by the predicate."""
        return {"ended_at" if self.event["predicate"] in ends else "at": self.at}

    # What each subject says

    def read_commit(self) -> Ref:
        key = commit_key(self.subject["id"])
        commit = self.thing(
            NodeKind.COMMIT, key, label=(self.text("message") or key[:12]).partition("\n")[0], at=self.at,
            service=self.repository(), version=self.text("branch"), url=self.text("url"),
        )  # fmt: skip
        before: Ref | None = None
        for each in self.data["commits"]:
            one = self.thing(NodeKind.COMMIT, commit_key(str(each["id"])))
            self.told.lead(before, EdgeKind.PRECEDES, one)
            before = one
        return commit

    def repository(self) -> str | None:
        given = self.content.get("repository")
        if isinstance(given, dict):
            given = given.get("id") or given.get("source")
        return str(given) if given else None

    def read_change(self) -> Ref:
        url = self.text("url") or ""
        key = change_key(url) if is_change_address(url) else self.change_of(self.subject)
        predicate = self.event["predicate"]
        change = self.thing(
            NodeKind.CHANGE, key, label=self.text("title", "description"), url=url or None,
            at=self.at if predicate == "created" else None, state=_CHANGES.get(predicate),
            ended_at=self.at if predicate in ("merged", "abandoned") else None,
        )  # fmt: skip
        shas = {str(each["id"]).lower() for each in self.data["commits"]} | {str(self.custom.get("head", "")).lower()}
        shas -= {str(self.custom.get("mergeCommit", "")).lower()}
        self.commits = [self.thing(NodeKind.COMMIT, sha) for sha in sorted(filter(SHA.fullmatch, shas))]
        self.told.lead_all(self.commits, EdgeKind.PART_OF, change)
        merged = str(self.custom.get("mergeCommit", "")).lower()
        if predicate == "merged" and SHA.fullmatch(merged):
            self.told.lead(change, EdgeKind.MERGED_AS, self.thing(NodeKind.COMMIT, merged))
        return change

    def change_of(self, reference: Said) -> str:
        source = str(reference.get("source") or "") or self.reference("repository")
        return change_key(str(reference.get("id", "")), source)

    def read_build(self) -> Ref:
        predicate = self.event["predicate"]
        build = self.thing(
            NodeKind.BUILD, scoped(self.subject["source"] or self.event["source"], self.subject["id"]),
            label=self.text("pipelineName", "taskName") or f"Build {self.subject['id']}", url=self.text("url", "uri"),
            state=self.outcome() if predicate == "finished" else State.RUNNING, **self.times("finished"),
        )  # fmt: skip
        if SHA.fullmatch(sha := str(self.custom.get("commit", "")).lower()):
            self.told.lead(self.thing(NodeKind.COMMIT, sha), EdgeKind.BUILT, build)
        self.built_from(build, EdgeKind.BUILT)
        if artifact := self.artifact():
            self.told.lead(build, EdgeKind.PRODUCED, artifact)
        if run := self.references.get("pipelineRun"):
            self.told.lead(self.run(run), EdgeKind.LINKED, build)
        return build

    def built_from(self, effect: Ref, kind: EdgeKind) -> None:
        if change := self.references.get("change"):
            self.told.lead(self.thing(NodeKind.CHANGE, self.change_of(change)), kind, effect)

    def run(self, reference: Said) -> Ref:
        return self.thing(NodeKind.BUILD, scoped(str(reference.get("source") or self.event["source"]), reference["id"]))

    def read_test(self) -> Ref:
        test = self.thing(
            NodeKind.TEST, scoped(self.subject["source"] or self.event["source"], self.subject["id"]),
            label=self.text("name") or f"Test {self.subject['id']}", url=self.text("uri"),
            environment=environment_named(self.reference("environment")), **self.times("finished", "skipped"),
            state=self.outcome() if self.event["predicate"] == "finished" else State.RUNNING,
        )  # fmt: skip
        if artifact := self.artifact():
            self.told.lead(artifact, EdgeKind.TESTED, test)
        if run := self.references.get("pipelineRun"):
            self.told.lead(self.run(run), EdgeKind.TESTED, test)
        return test

    def outcome(self) -> str:
        word = str(self.data.get("outcome", "")).lower()
        return {"success": State.SUCCEEDED, "pass": State.SUCCEEDED, "cancel": State.CANCELED}.get(word, State.FAILED)

    def artifact(self, key: str = "") -> Ref | None:
        """An artifact by its package URL, the commit it was made of if its version is one, and its plain name."""
        if not (key := key or self.reference("artifactId")):
            return None
        artifact = self.thing(NodeKind.ARTIFACT, bounded(key))
        name, version = split_purl(key)
        if SHA.fullmatch(version.lower()):
            self.told.lead(self.thing(NodeKind.COMMIT, version.lower()), EdgeKind.PRODUCED, artifact)
        elif name and version and ":" not in version:
            plain = self.thing(NodeKind.ARTIFACT, artifact_key(name, version), label=f"{name} {version}")
            self.told.lead(artifact, EdgeKind.SAME, plain)
        return artifact

    def read_artifact(self) -> Ref:
        artifact = self.artifact(self.subject["id"])
        assert artifact is not None
        name, version = split_purl(self.subject["id"])
        label = f"{name} {version[:12]}".strip() or None
        made = self.at if self.event["predicate"] == "packaged" else None
        self.thing(NodeKind.ARTIFACT, artifact[1], label=label, version=version or None, at=made)
        self.built_from(artifact, EdgeKind.PRODUCED)
        return artifact

    def read_service(self) -> Ref | None:
        predicate = self.event["predicate"]
        if predicate not in _DEPLOYMENTS:
            return None
        environment = environment_named(self.reference("environment"))
        _, version = split_purl(self.reference("artifactId"))
        deployment = self.thing(
            NodeKind.DEPLOYMENT, scoped(self.event["source"], self.event["id"]), at=self.at, ended_at=self.at,
            label=f"{_DEPLOYMENTS[predicate]} {self.subject['id']} {version[:12]}".strip(), version=version,
            service=self.subject["id"], environment=environment, rollback=predicate == "rolledback",
            state=State.REMOVED if predicate == "removed" else State.SUCCEEDED, url=self.text("url"),
        )  # fmt: skip
        if artifact := self.artifact():
            self.told.lead(artifact, EdgeKind.DEPLOYED, deployment)
        if environment:
            place = self.thing(NodeKind.ENVIRONMENT, environment, label=environment)
            self.told.lead(deployment, EdgeKind.RUNS_IN, place)
        return deployment

    def read_deployment(self) -> Ref | None:
        """A deployment that failed, which the standard has no word for."""
        service, environment = self.reference("service"), environment_named(self.reference("environment"))
        if self.event["predicate"] != "failed" or not service:
            return None
        deployment = self.thing(
            NodeKind.DEPLOYMENT, scoped(self.event["source"], self.event["id"]), at=self.at, ended_at=self.at,
            label=f"Deploy {service}", service=service, environment=environment, state=State.FAILED, url=self.text("url"),
        )  # fmt: skip
        if artifact := self.artifact():
            self.told.lead(artifact, EdgeKind.DEPLOYED, deployment)
        return deployment

    def read_incident(self) -> Ref:
        predicate = self.event["predicate"]
        incident = self.thing(
            NodeKind.INCIDENT, scoped(self.subject["source"] or self.event["source"], self.subject["id"]),
            label=self.text("description") or f"Incident {self.subject['id']}", service=self.reference("service") or None,
            environment=environment_named(self.reference("environment")) or None,
            state=State.RESOLVED if predicate == "resolved" else State.OPEN, **self.times("resolved"),
        )  # fmt: skip
        if artifact := self.artifact():
            self.told.lead(artifact, EdgeKind.CAUSED, incident)
        if uri := self.reference("ticketURI"):
            self.told.lead(incident, EdgeKind.TRACKED_BY, self.thing(NodeKind.TICKET, ticket_key(uri), url=uri))
        return incident

    def read_ticket(self) -> Ref:
        """A ticket of an outside tracker; of ours the facts tell more, and later."""
        predicate = self.event["predicate"]
        key = ticket_key(self.subject["id"])
        if not TICKET_KEY.fullmatch(key):  # such as a number, which means something in its repository only
            key = ticket_key(self.text("uri") or scoped(self.subject["source"], self.subject["id"]))
        return self.thing(
            NodeKind.TICKET, key, label=self.text("summary"), url=self.text("uri"),
            at=self.at if predicate == "created" else None,
            state={"created": "open", "closed": "closed"}.get(predicate),
        )  # fmt: skip

    def read_approval(self) -> Ref:
        return self.thing(
            NodeKind.APPROVAL, scoped(self.event["source"], self.subject["id"]), at=self.at,
            label=f"Approval {self.subject['id']}", state=self.text("status", "decision") or self.event["predicate"],
            url=self.text("approvalDetailsUrl"),
        )  # fmt: skip

    def read_environment(self) -> Ref:
        key = environment_named(self.subject["id"])
        return self.thing(NodeKind.ENVIRONMENT, key, label=self.text("name") or key, url=self.text("uri", "url"))


_DEPLOYMENTS = {
    "deployed": "Deploy", "upgraded": "Upgrade", "rolledback": "Roll back", "removed": "Remove",
}  # fmt: skip
_CHANGES = {"created": "open", "reviewed": "reviewed", "merged": "merged", "abandoned": "abandoned"}
_SUBJECTS: dict[str, Callable[[_Reading], Ref | None]] = {
    "commit": _Reading.read_commit, "change": _Reading.read_change, "build": _Reading.read_build,
    "pipelinerun": _Reading.read_build, "taskrun": _Reading.read_build, "testcaserun": _Reading.read_test,
    "testsuiterun": _Reading.read_test, "artifact": _Reading.read_artifact, "service": _Reading.read_service,
    "incident": _Reading.read_incident, "ticket": _Reading.read_ticket, "approval": _Reading.read_approval,
    "environment": _Reading.read_environment, "deployment": _Reading.read_deployment,
}  # fmt: skip
