"""What /readyz tells of the audit trail."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from core.clock import now
from events import outbox
from events.models import Delivery
from promotions.audit.health import check_audit
from promotions.audit.push import push_audit
from promotions.models import AuditRemote
from tests.promotions.audit.conftest import deliver


def test_a_system_at_rest_is_well(repository, db):
    assert check_audit() == {"ok": True, "writable": True, "oldest_unrecorded_seconds": 0.0, "pushed": None}


def test_steps_that_wait_long_for_their_commit_are_told(repository, pending):
    outbox.route_facts()
    assert check_audit()["ok"]
    Delivery.objects.filter(channel="audit").update(created_at=now() - dt.timedelta(minutes=5))
    state = check_audit()
    assert not state["ok"]
    assert state["oldest_unrecorded_seconds"] >= 300
    deliver()
    assert check_audit()["ok"]


def test_commits_that_wait_long_for_the_remote_are_told(repository, pending, settings, tmp_path):
    settings.AUDIT_REMOTE = str(tmp_path / "nothing.git")
    deliver()
    assert push_audit() == "failed"
    state = check_audit()
    assert (state["ok"], state["pushed"], state["push_failures"]) == (True, False, 1)
    assert str(tmp_path) not in str(state)
    AuditRemote.objects.update(pushed_commit="0" * 40)  # one we do not have
    assert "push_lag_seconds" in check_audit()


def test_old_commits_that_are_not_pushed_degrade(repository, pending, settings, tmp_path, monkeypatch):
    settings.AUDIT_REMOTE = str(tmp_path / "nothing.git")
    deliver()
    monkeypatch.setattr("promotions.audit.health.PUSHING_IS_LATE", -1)
    assert not check_audit()["ok"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_repository_that_cannot_be_written_is_told(repository, pending):
    deliver()
    (repository / "objects").chmod(0o500)
    try:
        assert not check_audit()["ok"]
    finally:
        (repository / "objects").chmod(0o700)
