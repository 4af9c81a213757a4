"""/readyz and /metrics: what they tell, and to whom; /livez is asked in tests/config/test_asgi.py."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from events.models import Delivery
from events.outbox import route_facts
from promotions.services import approve_request


@pytest.fixture
def client() -> Client:
    return Client()


def test_readiness_names_each_part_and_a_missing_beat_does_not_make_it_unready(db, client):
    answer = client.get("/readyz")
    checks = answer.json()["checks"]
    assert answer.status_code == 200
    assert checks["database"]["ok"]
    assert checks["outbox"]["lag_seconds"] == 0
    assert not checks["beat"]["ok"]


def refuse() -> dict:
    raise OSError("secret-host.internal refused")


refuse.vital = True  # type: ignore[attr-defined]


def test_a_vital_part_that_fails_makes_it_unready_without_telling_addresses(client):
    with override_settings(READINESS_CHECKS={"database": f"{__name__}.refuse"}):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["error"] == "OSError"
    assert "secret-host" not in answer.content.decode()


def test_gauges_of_delivery_requests_and_deployments(client, pending, make_request, cpi, target):
    approve_request(promotion=pending, by=cpi)
    make_request(target_name="another")
    text = client.get("/metrics").content.decode()
    assert "stagepass_facts_unrouted 3.0" in text
    assert 'stagepass_requests{state="pending"} 1.0' in text
    assert 'stagepass_requests{state="approved"} 1.0' in text
    assert 'stagepass_deployments{state="queued"} 1.0' in text
    route_facts()
    Delivery.objects.filter(fact_id=1).update(state="dead")
    text = client.get("/metrics").content.decode()
    assert "stagepass_facts_unrouted 0.0" in text
    assert 'stagepass_deliveries{channel="audit",state="dead"} 1.0' in text
    assert 'stagepass_deliveries{channel="audit",state="queued"} 2.0' in text
    assert "stagepass_oldest_pending_seconds" in text
    assert 'stagepass_request_seconds_bucket{le="0.005"' in text


@pytest.mark.parametrize(
    ("demo", "token", "sent", "status"),
    [
        (True, "", "", 200),
        (False, "", "", 403),
        (False, "", "Bearer ", 403),
        (False, "s3cret", "", 403),
        (False, "s3cret", "Bearer wrong", 403),
        (False, "s3cret", "Bearer é", 403),
        (False, "s3cret", "Bearer s3cret", 200),
        (True, "s3cret", "", 403),
    ],
)
def test_metrics_are_not_public(db, client, demo, token, sent, status):
    with override_settings(DEMO=demo, METRICS_TOKEN=token):
        assert client.get("/metrics", headers={"Authorization": sent} if sent else {}).status_code == status
