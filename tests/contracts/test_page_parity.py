"""The same verb over REST, on a page and in the admin: the same outcome, the same code, the same traces."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import issue_token
from events.models import DomainEvent
from tickets.models import Comment, Dependency, StageTask, Ticket, TicketLink, Worker

PLAN = ["architect", "?sign-off", "tester"]
STEPS = [{"stage": name.removeprefix("?"), "gate": name.startswith("?")} for name in PLAN]
OPEN = {"ticket_id": "T-1", "project_id": "test/project", "title": "One", "execution_plan": STEPS}
TYPED = {"tenant": "tenant-finance", "project": "test/project", "key": "T-1", "title": "One", "plan": "\n".join(PLAN),
         "type": "task", "priority": "2"}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One verb as each face asks for it; a face that does not have it does as REST does."""

    who: str
    rest: tuple[str, str, dict[str, Any]]
    page: tuple[str, dict[str, Any]] | None = None
    admin: tuple[str, str, dict[str, Any]] | None = None


def ticket(who: str, verb: str, sent: dict[str, Any], slug: str = "", typed: dict[str, Any] | None = None, admin: str = "") -> Step:  # fmt: skip
    """A verb on T-1; `typed` are the fields of its form."""
    prefix = slug.replace("-", "_")
    fields = {f"{prefix}-{name}": value for name, value in (typed or {}).items()}
    return Step(
        who, ("POST", f"/v1/tickets/T-1/{verb}", sent), (f"/tickets/T-1/{slug}/", fields) if slug else None,
        ("ticket", admin, typed or {}) if admin else None,
    )  # fmt: skip


def move(who: str, verb: str, **sent: Any) -> Step:
    admin = verb if verb in {"resolve", "reopen"} and "version" not in sent else ""
    return ticket(who, "move", {"verb": verb, **sent}, verb.replace("_", "-"), sent, admin)


def close(who: str, status: str, **sent: Any) -> Step:
    slug = {"completed": "complete", "stopped": "stop"}[status]
    return ticket(who, "close", {"status": status, **sent}, slug, sent, "" if "version" in sent else slug)


def gate(who: str, approve: bool, **sent: Any) -> Step:
    slug = "pass-gate" if approve else "decline-gate"
    admin = "pass_gate" if approve and "version" not in sent else ""
    return ticket(who, "gate", {"approve": approve, **sent}, slug, sent, admin)


def comment(who: str, words: str) -> Step:
    return Step(
        who, ("POST", "/v1/tickets/T-1/comments", {"content": words}), ("/tickets/T-1/comment/", {"say-comment": words})
    )


def opened(who: str, **changes: Any) -> Step:
    sent = {"title": changes["title"]} if "title" in changes else {}
    return Step(who, ("POST", "/v1/tickets", OPEN | sent), ("/tickets/new/", TYPED | changes))


def edited(who: str, title: str, version: int) -> Step:
    typed = TYPED | {"title": title, "version": str(version)}
    return Step(who, ("PATCH", "/v1/tickets/T-1", {"title": title, "version": version}), ("/tickets/T-1/edit/", typed))


def waits(who: str, blocker: str) -> Step:
    return Step(who, ("POST", "/v1/tickets/T-1/dependencies", {"blocker": blocker}), ("/tickets/T-1/dependency/", {"wait-blocker": blocker}))  # fmt: skip


def waits_no_longer(who: str, blocker: str) -> Step:
    return Step(who, ("DELETE", f"/v1/tickets/T-1/dependencies/{blocker}", {}), ("/tickets/T-1/dependency/", {"wait-blocker": blocker, "remove": "1"}))  # fmt: skip


def linked(who: str, url: str) -> Step:
    return Step(who, ("POST", "/v1/tickets/T-1/links", {"url": url, "kind": "issue"}), ("/tickets/T-1/link/", {"link-url": url, "link-kind": "issue"}))  # fmt: skip


def queued(who: str) -> Step:
    return ticket(who, "queue", {}, "queue", {}, "queue")


def retried(who: str) -> Step:
    return Step(who, ("POST", "/v1/tasks/{task}/retry", {}), ("/tickets/T-1/retry/", {}), ("stagetask", "retry", {}))


def stopped(who: str, reason: str) -> Step:
    return Step(
        who, ("POST", "/v1/workers/architect-1/stop", {"reason": reason}),
        ("/workers/tenant-finance/architect-1/stop/", {"comment": reason}), ("worker", "stop", {"reason": reason}),
    )  # fmt: skip


def back(who: str, reason: str) -> Step:
    step = ticket(who, "back", {"reason": reason}, "go-back", {"comment": reason, "back_to_step": ""}, "go_back")
    return Step(who, step.rest, step.page, ("ticket", "go_back", {"reason": reason}))


def by_worker(path: str, **sent: Any) -> Step:
    return Step("worker", ("POST", path, sent))


COURSE = [
    opened("viewer"),
    opened("devops", title=""),
    opened("devops"),
    opened("devops"),
    comment("outsider", "Hello"),
    comment("devops", " "),
    comment("devops", "Please look at **this**"),
    edited("devops", "Two", 1),
    edited("devops", "Three", 1),
    edited("viewer", "Three", 2),
    waits("devops", "T-1"),
    waits("devops", "T-404"),
    Step("devops", ("POST", "/v1/tickets", OPEN | {"ticket_id": "T-2"})),
    waits("viewer", "T-2"),
    waits("devops", "T-2"),
    waits("devops", "T-2"),
    waits_no_longer("devops", "T-2"),
    linked("devops", "ftp://x"),
    linked("devops", "https://ci.example.com/1"),
    linked("outsider", "https://ci.example.com/2"),
    linked("viewer", "https://ci.example.com/2"),
    by_worker("/v1/workers", worker_id="architect-1", worker_type="architect"),
    queued("viewer"),
    back("devops", "Too early"),
    queued("devops"),
    queued("devops"),
    move("devops", "finish_review"),
    by_worker("/v1/tasks/claim", worker_id="architect-1"),
    by_worker("/v1/tasks/{task}/fail", fence=1, error="No", retry=False),
    retried("worker"),
    retried("viewer"),
    retried("devops"),
    retried("devops"),
    by_worker("/v1/tasks/claim", worker_id="architect-1"),
    by_worker("/v1/tasks/{task}/complete", fence=2, comment="Done"),
    gate("devops", True),
    gate("worker", True),
    gate("cpi", False, comment=""),
    gate("cpi", True, comment="Fine", version=1),
    move("devops", "resolve"),
    gate("cpi", True, comment="Fine"),
    back("viewer", "Once more"),
    back("devops", ""),
    back("devops", "Once more"),
    move("devops", "start", version=1),
    stopped("viewer", "No"),
    stopped("outsider", "No"),
    stopped("devops", "Enough"),
    stopped("devops", "Enough"),
    close("viewer", "stopped"),
    close("devops", "completed"),
    close("devops", "stopped", version=1),
    close("devops", "stopped", comment="No longer"),
    close("devops", "stopped"),
    queued("devops"),
    move("viewer", "reopen"),
    move("devops", "reopen", comment="It is needed after all"),
    move("devops", "reopen"),
]  # fmt: skip
EXPECTED = {
    "gate_not_passed", "invalid", "not_authorized", "not_dead", "not_found", "person_required",
    "ticket_closed", "ticket_exists", "version_conflict",
}  # fmt: skip


@dataclass
class Faces:
    """The cast, signed in and with tokens."""

    clients: dict[str, Client] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, people: dict[str, User]) -> Faces:
        faces = cls()
        for name, user in people.items():
            User.objects.filter(pk=user.pk).update(is_staff=True)
            faces.clients[name] = Client()
            faces.clients[name].force_login(User.objects.get(pk=user.pk))
            scopes = [f"tickets:{name}" for name in ("read", "write", "work", "decide")]
            faces.secrets[name] = issue_token(user=user, name="parity", scopes=scopes)[1]
        return faces

    def rest(self, step: Step) -> str:
        method, path, sent = step.rest
        task = StageTask.objects.order_by("pk").first()
        answer = Client().generic(
            method, path.format(task=task.pk if task else 0), json.dumps(sent), "application/json",
            headers={"Authorization": f"Bearer {self.secrets[step.who]}"},
        )  # fmt: skip
        return answer.json()["code"] if answer.status_code >= 400 else ""

    def page(self, step: Step) -> str:
        if step.page is None:
            return self.rest(step)
        address, typed = step.page
        return refusal_in(self.clients[step.who].post(address, typed))

    def admin(self, step: Step) -> str:
        if step.admin is None:
            return self.rest(step)
        kind, verb, typed = step.admin
        model = {"ticket": Ticket, "stagetask": StageTask, "worker": Worker}[kind]
        thing = model.objects.order_by("pk").first()
        address = reverse(f"admin:tickets_{kind}_change", args=[thing.pk]).replace("/change/", f"/{verb}/")
        answer = self.clients[step.who].post(address, typed)
        if answer.status_code == 302 and answer.headers["Location"] == "/admin/":
            return "not_found"  # as the admin says it, with a message
        return refusal_in(answer)


def refusal_in(answer: Any) -> str:
    """The code that the page shows, empty when it went through."""
    if answer.status_code in {302, 303}:
        return ""
    codes = re.findall(r'data-refused="(\w+)"', answer.content.decode())
    assert len(codes) == 1, (answer.status_code, codes)
    return codes[0]


def traces() -> list[Any]:
    """What the verbs left behind, without what is the face's own."""
    return [
        list(
            Ticket.objects.order_by("pk").values_list("key", "title", "state", "stage", "progress", "round", "version")
        ),
        list(StageTask.objects.order_by("pk").values_list("worker_type", "state", "attempt", "fence")),
        list(Comment.objects.order_by("pk").values_list("kind", "stage", "content", "author__email")),
        list(Dependency.objects.values_list("ticket__key", "blocker__key")),
        list(TicketLink.objects.values_list("url", "kind")),
        list(Worker.objects.values_list("worker_id", "stop_reason")),
        list(DomainEvent.objects.order_by("sequence").values_list("type", "subject_id", "actor_label")),
    ]


def take(course: list[Step], through: Callable[[Step], str]) -> list[tuple[str, list[Any]]]:
    with transaction.atomic():
        outcomes = [(through(step), traces()) for step in course]
        transaction.set_rollback(True)
    return outcomes


def test_every_step_ends_alike_over_rest_on_pages_and_in_the_admin(devops, viewer, outsider, worker, cpi):
    faces = Faces.of({"devops": devops, "viewer": viewer, "outsider": outsider, "worker": worker, "cpi": cpi})
    rest, page, admin = (take(COURSE, through) for through in (faces.rest, faces.page, faces.admin))
    differing = []
    for step, one, two, three in zip(COURSE, rest, page, admin, strict=True):
        if not one == two == three:
            differing.append((step, [each[0] for each in (one, two, three)], [
                parts for parts in zip(one[1], two[1], three[1], strict=True) if not parts[0] == parts[1] == parts[2]
            ]))  # fmt: skip
            break
    assert not differing, differing
    refusals = {code for code, _ in rest}
    assert refusals >= EXPECTED, (EXPECTED - refusals, refusals)
    assert sum(not code for code, _ in rest) >= 15
