"""The calls of the access matrix on tickets, stage tasks, workers and projects, each on an object made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from accounts.models import Tenant, User
from core.clock import now
from events.models import DomainEvent
from tickets.models import Project, StageTask, Ticket, TicketLink, Worker
from tickets.services.facts import publish_about

if TYPE_CHECKING:
    from tests.contracts.access import Call, House

FAR = "2100-01-01T00:00:00Z"
PLAN = [{"stage": "architect", "gate": False}, {"stage": "developer", "gate": False}]
GATED = [{"stage": "sign-off", "gate": True}]


def whose(house: House, role: str, thing: str) -> tuple[User, Tenant]:
    """Who made the object, and in which tenant."""
    if thing == "own":
        return house.users.get(role, house.colleagues["tenant-finance"]), house.home_of(role)
    tenant = getattr(house, thing)
    return house.colleagues[tenant.slug], tenant


def place_project(tenant: Tenant) -> Project:
    return Project.objects.get_or_create(tenant=tenant, key="team/project", defaults={"prefix": "TEAM"})[0]


def place_ticket(house: House, author: User, tenant: Tenant, **columns: Any) -> Ticket:
    """A ticket as if it had come there; its key is used once only."""
    house.made += 1
    fields = {"plan": PLAN, "stage": "architect", "title": "Ticket"} | columns
    return Ticket.objects.create(
        tenant=tenant, project=place_project(tenant), key=f"T-{house.made}", author=author, **fields
    )


def place_task(house: House, author: User, tenant: Tenant, state: str) -> StageTask:
    """A task of the state; a claimed one is held by its author."""
    ticket = place_ticket(house, author, tenant, state="in_progress")
    held = {"lease_until": FAR, "claimed_account": author, "fence": 1, "attempt": 1} if state == "claimed" else {}
    return StageTask.objects.create(
        tenant=tenant, project=ticket.project, ticket=ticket, step=0, worker_type="architect", state=state, **held
    )


def place_worker(house: House, owner: User, tenant: Tenant) -> Worker:
    house.made += 1
    return Worker.objects.create(
        tenant=tenant, worker_id=f"worker-{house.made}", worker_type="architect", owner=owner, silent_at=FAR
    )


def on_ticket(method: str, rest: str = "", sent: Any = None, **columns: Any) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        key = "NONE-1"
        if thing != "missing":
            ticket = place_ticket(house, *whose(house, role, thing), **columns)
            key = ticket.key
            if columns.get("plan") == GATED:
                StageTask.objects.create(
                    tenant=ticket.tenant, project=ticket.project, ticket=ticket, step=0, worker_type="sign-off",
                    state="waiting_for_person",
                )  # fmt: skip
        return house.callers[role].call(method, f"/v1/tickets/{key}{rest}", sent)

    return call


def on_blocker(method: str) -> Call:
    """A dependency on another ticket of the same tenant."""

    def call(house: House, role: str, thing: str) -> HttpResponse:
        key = other = "NONE-1"
        if thing != "missing":
            author, tenant = whose(house, role, thing)
            key = place_ticket(house, author, tenant).key
            other = place_ticket(house, author, tenant).key
        path = f"/v1/tickets/{key}/dependencies"
        if method == "POST":
            return house.callers[role].post(path, {"blocker": other})
        return house.callers[role].call(method, f"{path}/{other}")

    return call


def on_link(house: House, role: str, thing: str) -> HttpResponse:
    key, pk = "NONE-1", 1
    if thing != "missing":
        author, tenant = whose(house, role, thing)
        ticket = place_ticket(house, author, tenant)
        key, pk = ticket.key, TicketLink.objects.create(ticket=ticket, url="https://x.example", created_by=author).pk
    return house.callers[role].call("DELETE", f"/v1/tickets/{key}/links/{pk}")


def on_task(method: str, rest: str = "", sent: Any = None, state: str = "claimed") -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        pk = 0 if thing == "missing" else place_task(house, *whose(house, role, thing), state).pk
        return house.callers[role].call(method, f"/v1/tasks/{pk}{rest}", sent)

    return call


def on_worker(method: str, rest: str = "", sent: Any = None) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        name = "nobody" if thing == "missing" else place_worker(house, *whose(house, role, thing)).worker_id
        return house.callers[role].call(method, f"/v1/workers/{name}{rest}", sent)

    return call


def on_project(method: str, sent: Any = None) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        key = "missing/project"
        if thing != "missing":
            _, tenant = whose(house, role, thing)
            house.made += 1
            key = f"team/project-{house.made}"
            Project.objects.create(tenant=tenant, key=key, prefix=f"P{house.made}")
        return house.callers[role].call(method, f"/v1/projects/{key}", sent)

    return call


def open_one(house: House, role: str, thing: str) -> HttpResponse:
    house.made += 1
    body = {"ticket_id": f"NEW-{house.made}", "project_id": "team/new", "title": "New"}
    return house.callers[role].post("/v1/tickets", body | _tenant(thing))


def make_project(house: House, role: str, thing: str) -> HttpResponse:
    return house.callers[role].post("/v1/projects", {"project_id": "team/new"} | _tenant(thing))


def register(house: House, role: str, thing: str) -> HttpResponse:
    house.made += 1
    body = {"worker_id": f"new-{house.made}", "worker_type": "architect"}
    return house.callers[role].post("/v1/workers", body | _tenant(thing))


def _tenant(thing: str) -> dict[str, str]:
    return {} if thing == "own" else {"tenant": "tenant-nowhere" if thing == "missing" else f"tenant-{thing}"}


def claim(house: House, role: str, thing: str) -> HttpResponse:
    """For a worker of one's own or a colleague's; there is a task for it."""
    name = "nobody"
    if thing != "missing":
        author, tenant = whose(house, role, thing)
        name = place_worker(house, author, tenant).worker_id
        task = place_task(house, author, tenant, "queued")
        StageTask.objects.filter(pk=task.pk).update(next_at=now())
    return house.callers[role].post("/v1/tasks/claim", {"worker_id": name})


def mark(house: House, role: str, thing: str) -> HttpResponse:
    """An event of a ticket."""
    number = 10**9
    if thing != "missing":
        author, tenant = whose(house, role, thing)
        ticket = place_ticket(house, author, tenant)
        number = publish_about(ticket, "ticket.opened", by=author).sequence
        assert DomainEvent.objects.filter(pk=number).exists()
    return house.callers[role].post("/v1/ticket-events/processed", {"event_ids": [number]})


def plain(path: str) -> Call:
    return lambda house, role, thing: house.callers[role].get(path)


ONE, TASK, WORKER = "/v1/tickets/{key}", "/v1/tasks/{task_id}", "/v1/workers/{worker_id}"
FENCE = {"fence": 1}
TICKET_CALLS: dict[str, Call] = {
    "GET /v1/tickets": plain("/v1/tickets"),
    "POST /v1/tickets": open_one,
    f"GET {ONE}": on_ticket("GET"),
    f"PATCH {ONE}": on_ticket("PATCH", "", {"title": "Better"}),
    f"GET {ONE}/comments": on_ticket("GET", "/comments"),
    f"POST {ONE}/comments": on_ticket("POST", "/comments", {"content": "Hello"}),
    f"POST {ONE}/move": on_ticket("POST", "/move", {"verb": "start"}),
    f"POST {ONE}/close": on_ticket("POST", "/close", {"status": "completed"}),
    f"POST {ONE}/queue": on_ticket("POST", "/queue", {"even_without_worker": True}),
    f"POST {ONE}/stage": on_ticket("POST", "/stage", {"last_completed_stage": "architect"}),
    f"POST {ONE}/back": on_ticket("POST", "/back", {"reason": "Once more"}, progress=1, stage="developer"),
    f"POST {ONE}/gate": on_ticket(
        "POST", "/gate", {"approve": True}, plan=GATED, stage="sign-off", state="approval_in_progress"
    ),
    f"GET {ONE}/claimable": on_ticket("GET", "/claimable"),
    f"POST {ONE}/dependencies": on_blocker("POST"),
    f"DELETE {ONE}/dependencies/{{blocker}}": on_blocker("DELETE"),
    f"POST {ONE}/links": on_ticket("POST", "/links", {"url": "https://x.example"}),
    f"DELETE {ONE}/links/{{link}}": on_link,
    "GET /v1/tasks": plain("/v1/tasks"),
    "POST /v1/tasks/claim": claim,
    f"GET {TASK}": on_task("GET"),
    f"POST {TASK}/heartbeat": on_task("POST", "/heartbeat", FENCE),
    f"POST {TASK}/complete": on_task("POST", "/complete", FENCE),
    f"POST {TASK}/fail": on_task("POST", "/fail", FENCE | {"error": "It broke"}),
    f"POST {TASK}/release": on_task("POST", "/release", FENCE),
    f"POST {TASK}/retry": on_task("POST", "/retry", {}, "dead"),
    "GET /v1/queues": plain("/v1/queues"),
    "GET /v1/workers": plain("/v1/workers"),
    "POST /v1/workers": register,
    f"GET {WORKER}": on_worker("GET"),
    f"POST {WORKER}/heartbeat": on_worker("POST", "/heartbeat", {}),
    f"POST {WORKER}/stop": on_worker("POST", "/stop", {}),
    "GET /v1/projects": plain("/v1/projects"),
    "POST /v1/projects": make_project,
    "GET /v1/projects/{key}": on_project("GET"),
    "PATCH /v1/projects/{key}": on_project("PATCH", {"name": "Better"}),
    "GET /v1/ticket-events": plain("/v1/ticket-events"),
    "POST /v1/ticket-events/processed": mark,
}
# Calls about one object although their address names none.
ABOUT_ONE = {
    "POST /v1/tickets", "POST /v1/tasks/claim", "POST /v1/workers", "POST /v1/projects", "POST /v1/ticket-events/processed",
}  # fmt: skip
