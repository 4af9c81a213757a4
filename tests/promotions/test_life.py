"""The life of requests under any order of verbs and crashes: a state machine that looks for broken promises."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from core.errors import DomainError
from events.models import DomainEvent
from events.selectors import find_chain_break
from promotions import services
from promotions.deployers.base import DeployerError, Job, Progress
from promotions.models import Deployment, PromotionRequest
from promotions.services import engine
from promotions.services.transition import load
from promotions.states import ACTIVE, PROMOTION, State
from tests.conftest import content
from tests.promotions.deploying import come_due, record

NAMES = ["payment-api", "ledger-api"]
jobs: list[str] = []
outcomes: dict[str, str] = {}
weather = {"start": "fine"}


class Outside:
    """The world outside: it starts a nonce when asked, finds it again, and sometimes its answer is lost."""

    def start(self, job: Job) -> str:
        if job.nonce not in jobs:
            if weather["start"] == "down":
                raise DeployerError("connection refused")
            jobs.append(job.nonce)
            if weather["start"] == "answer lost":
                raise DeployerError("connection reset")
        return f"job-{jobs.index(job.nonce)}"

    def poll(self, job: Job) -> Progress:
        return Progress(outcomes.get(job.nonce, "running"))  # type: ignore[arg-type]

    def cancel(self, job: Job) -> None:
        outcomes[job.nonce] = "canceled"


class Life(RuleBasedStateMachine):
    """Two services, two authors, two approvers; every verb at any time; launches that crash half-way."""

    cast: dict[str, Any] = {}

    def __init__(self) -> None:
        super().__init__()
        jobs.clear()
        outcomes.clear()
        weather["start"] = "fine"
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.states: dict[int, str] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    def pick(self, index: int) -> PromotionRequest | None:
        requests = list(PromotionRequest.objects.order_by("-id")[:4])
        return load(requests[index % len(requests)]) if requests else None

    def attempt(self, verb: Any, **words: Any) -> None:
        with contextlib.suppress(DomainError), transaction.atomic():
            verb(**words)

    @rule(name=st.sampled_from(NAMES), who=st.sampled_from(["devops", "cpi", "cpi_admin"]))
    def create(self, name: str, who: str) -> None:
        words = {"tenant": self.cast["tenant"], "content": content(target_name=name), "by": self.cast[who]}
        self.attempt(services.create_request, **words)

    @rule(index=st.integers(0, 3), version=st.sampled_from(["2.1.0", "2.2.0"]))
    def edit(self, index: int, version: str) -> None:
        if promotion := self.pick(index):
            changed = dataclasses.replace(promotion.content, version=version)
            self.attempt(services.edit_request, promotion=promotion, content=changed, by=promotion.author)

    @rule(index=st.integers(0, 3), who=st.sampled_from(["devops", "cpi", "other_cpi"]), stale=st.booleans())
    def approve(self, index: int, who: str, stale: bool) -> None:
        if promotion := self.pick(index):
            digest = "0" * 64 if stale else promotion.digest
            self.attempt(services.approve_request, promotion=promotion, by=self.cast[who], digest=digest)

    @rule(index=st.integers(0, 3), who=st.sampled_from(["cpi", "other_cpi"]))
    def reject(self, index: int, who: str) -> None:
        if promotion := self.pick(index):
            words = {"promotion": promotion, "by": self.cast[who], "reason": "Not convincing enough"}
            self.attempt(services.reject_request, **words)

    @rule(index=st.integers(0, 3), who=st.sampled_from(["devops", "cpi", "cpi_admin"]))
    def break_glass(self, index: int, who: str) -> None:
        if promotion := self.pick(index):
            words = {"promotion": promotion, "by": self.cast[who], "reason": "Payments are down, nobody answers"}
            self.attempt(services.break_glass, **words)

    @rule(index=st.integers(0, 3), who=st.sampled_from(["devops", "cpi", "other_cpi", "cpi_admin"]), fine=st.booleans())
    def review(self, index: int, who: str, fine: bool) -> None:
        if promotion := self.pick(index):
            words = {} if fine else {"reason": "It should have waited"}
            verb = services.approve_afterwards if fine else services.object_to_request
            self.attempt(verb, promotion=promotion, by=self.cast[who], **words)

    @rule(index=st.integers(0, 3), verb=st.sampled_from(["withdraw_request", "retry_deployment", "cancel_deployment"]))
    def act_as_author(self, index: int, verb: str) -> None:
        if promotion := self.pick(index):
            self.attempt(getattr(services, verb), promotion=promotion, by=promotion.author)

    @rule(index=st.integers(0, 3))
    def roll_back(self, index: int) -> None:
        if promotion := self.pick(index):
            words = {"promotion": promotion, "by": promotion.author, "reason": "It went badly wrong"}
            self.attempt(services.roll_back_request, **words)

    @rule(index=st.integers(0, 3))
    def put_on_record(self, index: int) -> None:
        if promotion := self.pick(index):
            record(promotion)

    @rule(start=st.sampled_from(["fine", "down", "answer lost"]))
    def change_weather(self, start: str) -> None:
        weather["start"] = start

    @precondition(lambda self: Deployment.objects.active().exists())
    @rule(crash=st.sampled_from(["no", "before the call", "after the call"]))
    def launch(self, crash: str) -> None:
        deployment = come_due(Deployment.objects.active().select_related("promotion").first())
        if crash == "no":
            engine.launch(deployment)
        elif (mine := services.begin_deployment(deployment=deployment)) and crash == "after the call":
            with contextlib.suppress(DeployerError):
                engine.deployer_of(mine).start(engine.job_of(mine))

    @precondition(lambda self: Deployment.objects.active().exists())
    @rule(outcome=st.sampled_from(["running", "succeeded", "failed"]), twice=st.booleans())
    def follow(self, outcome: str, twice: bool) -> None:
        deployment = come_due(Deployment.objects.active().select_related("promotion").first())
        if str(deployment.nonce) in jobs:
            outcomes.setdefault(str(deployment.nonce), outcome)
            if outcomes[str(deployment.nonce)] == "running":
                outcomes[str(deployment.nonce)] = outcome
        for _ in range(1 + twice):
            engine.follow(deployment)

    @invariant()
    def nobody_approved_their_own(self) -> None:
        for promotion in PromotionRequest.objects.exclude(approved_by=None):
            assert promotion.approved_by_id != promotion.author_id
            assert promotion.approved_digest == promotion.digest

    @invariant()
    def four_eyes_also_where_the_glass_was_broken(self) -> None:
        for promotion in PromotionRequest.objects.exclude(glass_broken_by=None):
            assert promotion.glass_broken_by == self.cast["cpi_admin"]
            assert promotion.glass_digest == promotion.digest
            for reviewer in (promotion.approved_by_id, promotion.objected_by_id):
                assert reviewer not in {promotion.author_id, promotion.glass_broken_by_id}
            assert promotion.approved_by_id is None or promotion.objected_by_id is None

    @invariant()
    def each_attempt_has_at_most_one_job_and_each_job_an_approved_attempt(self) -> None:
        attempts = {str(row.nonce): row for row in Deployment.objects.select_related("promotion")}
        assert max(Counter(jobs).values(), default=0) <= 1
        assert set(jobs) <= set(attempts)
        for nonce in jobs:
            promotion = attempts[nonce].promotion
            assert promotion.approved_by_id is not None or promotion.glass_broken_by_id is not None

    @invariant()
    def one_active_request_per_target(self) -> None:
        names = PromotionRequest.objects.filter(state__in=ACTIVE).values_list("target_name", flat=True)
        assert max(Counter(names).values(), default=0) <= 1

    @invariant()
    def steps_are_those_of_the_table(self) -> None:
        for pk, state in PromotionRequest.objects.values_list("pk", "state"):
            before = self.states.get(pk, State.PENDING)
            assert state == before or state in _reachable(before), f"{before} became {state}"
            self.states[pk] = state

    @invariant()
    def the_last_fact_tells_the_state(self) -> None:
        assert find_chain_break(DomainEvent.objects.order_by("sequence").iterator()) is None
        for number, state in PromotionRequest.objects.values_list("number", "state"):
            last = DomainEvent.objects.about("promotion", number).order_by("sequence").last()
            assert last.data["document"]["status"]["state"] == state


def _reachable(state: str) -> set[str]:
    """What one rule may lead to: one step, or launch and end in one look."""
    one = {edge.target for edge in PROMOTION if edge.source == state}
    return one | {edge.target for edge in PROMOTION if edge.source in one}


@pytest.mark.timeout(300)
def test_no_order_of_verbs_and_crashes_breaks_a_promise(tenant, devops, cpi, other_cpi, cpi_admin, target):
    target.deployer = "outside"
    target.save()
    Life.cast = {"tenant": tenant, "devops": devops, "cpi": cpi, "other_cpi": other_cpi, "cpi_admin": cpi_admin}
    # Facts are numbered from where the log stands, which must be its beginning for the chain to be whole.
    assert not DomainEvent.objects.exists()
    outside = {"outside": {"BACKEND": "tests.promotions.test_life.Outside"}}
    quick = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    with override_settings(DEPLOYERS=django_settings.DEPLOYERS | outside):
        run_state_machine_as_test(Life, settings=quick)
