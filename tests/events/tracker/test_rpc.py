"""gRPC as its clients see it: a real server process, asked through reflection."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import json_format

from accounts.services import issue_token
from events.models import DomainEvent, Event
from events.tracker import records
from tests.events.tracker.commands import grpcurl
from tests.events.tracker.guide import GRPCURL
from tests.events.tracker.rpc import REFLECTIONS, Client, start_server
from tests.events.tracker.test_guide import EXAMPLE_ID

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS, LOCKS, CATALOG = (
    f"tracker.{name}.v1alpha1.{service}"
    for name, service in (("event", "EventService"), ("lock", "LockService"), ("catalog", "CatalogService"))
)
DEPLOYMENT = {"title": "Deploy ledger", "attributes": {"type": "deployment", "service": "ledger"}}


@pytest.fixture(scope="module")
def port(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        process, port = start_server()
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.fixture(params=REFLECTIONS)
def client(request, port):
    client = Client(port, request.param)
    yield client
    client.close()


@pytest.fixture
def rpc(port):
    client = Client(port)
    yield client
    client.close()


@pytest.fixture
def token(devops):
    return issue_token(user=devops, name="pipeline", scopes=["events:read", "events:write"])[1]


def code(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_every_grpcurl_command_of_the_guide(client, tenant):
    for command in GRPCURL:
        method, request = grpcurl(command)
        if "GetEvent" in method:
            Event.objects.update(slack_id=EXAMPLE_ID)
        answer = client.call(method, request)
        if "CreateEvent" in method:
            made = answer["event"]
            assert made["attributes"]["status"] == "success"
            assert made["attributes"]["startDate"] == "2024-01-15T10:00:00Z"
        elif "GetEvent" in method:
            assert answer["event"]["metadata"]["id"] == made["metadata"]["id"]
        elif "ListEvents" in method or "date" in json.dumps(request):
            assert answer["totalCount"] == 1
        else:
            assert answer == {}, answer  # nothing has priority 1


def test_reflection_lists_all_services(client):
    assert client.services() == sorted(
        [EVENTS, LOCKS, CATALOG, "grpc.health.v1.Health", *(f"{name}.ServerReflection" for name in REFLECTIONS)]
    )
    for name in client.services():
        assert client.service(name).methods


def test_health_tells_that_it_serves(rpc):
    assert rpc.call("grpc.health.v1.Health/Check", {}) == {"status": "SERVING"}
    assert rpc.call("grpc.health.v1.Health/Check", {"service": LOCKS}) == {"status": "SERVING"}


def test_a_token_names_the_actor_and_the_face(rpc, token, devops, tenant):
    made = rpc.call(f"{EVENTS}/CreateEvent", DEPLOYMENT, token)["event"]
    assert made["metadata"]["tenant"] == tenant.slug
    fact = DomainEvent.objects.get(type="event.recorded")
    assert (fact.surface, fact.actor_label, fact.subject_id) == ("grpc", devops.email, made["metadata"]["id"])


def test_refusals_have_their_codes(rpc, token, viewer, tenant):
    read_only = issue_token(user=viewer, name="reader", scopes=["events:read", "events:write"])[1]
    no_scope = issue_token(user=viewer, name="none", scopes=["tickets:read"])[1]
    create, get = f"{EVENTS}/CreateEvent", f"{EVENTS}/GetEvent"
    assert code(lambda: rpc.call(create, DEPLOYMENT, "sp_wrong"))[0] == grpc.StatusCode.UNAUTHENTICATED
    assert code(lambda: rpc.call(create, DEPLOYMENT, read_only))[0] == grpc.StatusCode.PERMISSION_DENIED
    assert code(lambda: rpc.call(get, {"id": "x"}, no_scope))[0] == grpc.StatusCode.PERMISSION_DENIED
    assert code(lambda: rpc.call(get, {"id": "nope"}, token))[0] == grpc.StatusCode.NOT_FOUND
    status, words = code(lambda: rpc.call(create, {"title": "x"}, token))
    assert status == grpc.StatusCode.INVALID_ARGUMENT
    assert "attributes.service is required" in words
    assert "attributes.type is required" in words
    lock = {"service": "ledger", "environment": "production", "who": "ana"}
    rpc.call(f"{LOCKS}/CreateLock", lock, token)
    status, words = code(lambda: rpc.call(f"{LOCKS}/CreateLock", lock, token))
    assert (status, "already locked" in words) == (grpc.StatusCode.ALREADY_EXISTS, True)


def test_no_message_at_all_does_not_hurt_the_server(rpc, token):
    """Tracker's own process dies of an event without attributes or links."""
    for method in ("CreateEvent", "UpdateEvent", "AddChangelogEntry", "AddSlackId", "GetEventStats"):
        assert code(lambda method=method: rpc.call(f"{EVENTS}/{method}", {}, token))[0] in {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
        }
    assert rpc.call(f"{EVENTS}/ListEvents", {}, token) == {}


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"title": "a\x00b"}, "NUL"),
        ({"title": "x" * 501}, "501"),
        ({"attributes": {"type": 99}}, "99"),
        ({"attributes": {"priority": 99}}, "99"),
        ({"attributes": {"status": -1}}, "-1"),
        ({"attributes": {"environment": 77}}, "77"),
        ({"attributes": {"impactLevel": 9}}, "impact"),
        ({"attributes": {"relatedId": "not there"}}, "not there"),
        ({"attributes": {"stakeHolders": ["x"] * 101}}, "at most 100"),
        ({"attributes": {"startDate": "2024-02-01T00:00:00Z", "endDate": "2024-01-01T00:00:00Z"}}, "before"),
        ({"links": {"pullRequestLink": "javascript:alert(1)"}}, "https"),
        ({"slackId": "x" * 201}, "201"),
        ({"tenant": "nowhere"}, "nowhere"),
    ],
)
def test_bad_input_names_the_fault(rpc, token, request_, word):
    attributes = DEPLOYMENT["attributes"] | request_.get("attributes", {})
    request = DEPLOYMENT | request_ | {"attributes": attributes}
    status, words = code(lambda: rpc.call(f"{EVENTS}/CreateEvent", request, token))
    assert status in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    assert word in words


def test_an_update_replaces_unless_it_has_a_mask(rpc, token):
    made = rpc.call(f"{EVENTS}/CreateEvent", DEPLOYMENT | {"links": {"ticket": "PAY-1"}}, token)["event"]
    masked = {"id": made["metadata"]["id"], "attributes": {"status": "success"}, "updateMask": "attributes.status"}
    event = rpc.call(f"{EVENTS}/UpdateEvent", masked, token)["event"]
    assert (event["title"], event["links"]["ticket"]) == ("Deploy ledger", "PAY-1")
    whole = {**DEPLOYMENT, "id": made["metadata"]["id"], "title": "Again"}
    event = rpc.call(f"{EVENTS}/UpdateEvent", whole, token)["event"]
    assert event["title"] == "Again"
    assert "ticket" not in event["links"]
    assert "status" not in event["attributes"]
    for path in ("metadata.id", "attributes.color", "title.e"):
        wrong = masked | {"title": "Deploy", "updateMask": path}
        status, words = code(lambda wrong=wrong: rpc.call(f"{EVENTS}/UpdateEvent", wrong, token))
        assert (status, path in words) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_watchers_see_what_they_may_in_order(rpc, token, tenant, other_tenant, outsider):
    request = {"filter": {"service": "ledger"}}
    stream = rpc.watch(f"{EVENTS}/WatchEvents", request, token)
    records.record_event(tenant=other_tenant, content=content(), by=outsider)  # another tenant's
    records.record_event(tenant=tenant, content=content(service="other"), by=None)
    mine = records.record_event(tenant=tenant, content=content(), by=None)
    seen = [json_format.MessageToDict(next(stream))]
    records.update_event(event=mine, content={"status": 3}, by=None)
    seen.append(json_format.MessageToDict(next(stream)))
    records.delete_event(event=mine, by=None)
    seen.append(json_format.MessageToDict(next(stream)))
    assert [one["kind"] for one in seen] == ["recorded", "changed", "deleted"]
    assert seen[1]["event"]["attributes"]["status"] == "success"
    assert {one["id"] for one in seen} == {str(mine.pk)}
    stream.cancel()
    again = rpc.watch(f"{EVENTS}/WatchEvents", request | {"afterSequence": "0"}, token)
    assert json_format.MessageToDict(next(again))["kind"] == "deleted"
    again.cancel()


def content(**changes):
    return {"title": "Deploy ledger", "type": 1, "service": "ledger"} | changes


def test_many_calls_at_once(rpc, token):
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda _: rpc.call(f"{EVENTS}/CreateEvent", DEPLOYMENT, token), range(48)))
    assert len({one["event"]["metadata"]["id"] for one in done}) == 48
    assert rpc.call(f"{EVENTS}/ListEvents", {}, token)["totalCount"] == 48


def test_a_stop_ends_streams_and_lets_the_process_go(django_db_blocker, tenant):
    process, port = start_server()
    client = Client(port)
    stream = client.watch(f"{EVENTS}/WatchEvents")
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert list(stream) == [] or stream.code() is not None
    client.close()
