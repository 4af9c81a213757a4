"""Tables of promotion requests, their deployments, and what runs where."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import tenants_where
from promotions.states import ACTIVE, DEPLOYMENT_ACTIVE, DeploymentState, Review, State
from promotions.types import Impact, PromotionContent, TargetType

# Whom a request names, and what else its document shows.
PEOPLE = ("author", "approved_by", "rejected_by", "glass_broken_by", "objected_by")
SEARCH_VECTOR = SearchVector("number", "target_name", "version", "justification", "release_notes", config="simple")


class PromotionRequestQuerySet(models.QuerySet["PromotionRequest"]):
    def visible_to(self, user: User) -> PromotionRequestQuerySet:
        """All of the tenants whose requests `user` may view, and the user's own where those may be viewed."""
        everyones = Q(tenant__in=tenants_where(user, Capability.VIEW_PROMOTIONS))
        own = Q(author_id=user.pk, tenant__in=tenants_where(user, Capability.VIEW_OWN_PROMOTIONS))
        return self.filter(everyones | own)

    def decidable_by(self, user: User) -> PromotionRequestQuerySet:
        """Pending requests that `user` may approve or reject: never the user's own."""
        return self.filter(state=State.PENDING, tenant__in=tenants_where(user, Capability.DECIDE_PROMOTION)).exclude(
            author_id=user.pk
        )

    def active(self) -> PromotionRequestQuerySet:
        return self.filter(state__in=ACTIVE)

    def review_owed(self) -> PromotionRequestQuerySet:
        """Those whose glass was broken and that nobody else has looked at since."""
        return self.filter(glass_broken_by__isnull=False, approved_by=None, objected_by=None)

    def reviewable_by(self, user: User) -> PromotionRequestQuerySet:
        """Of these, the ones that `user` may review: never the user's own, nor those whose glass the user broke."""
        theirs = self.review_owed().filter(tenant__in=tenants_where(user, Capability.DECIDE_PROMOTION))
        return theirs.exclude(author_id=user.pk).exclude(glass_broken_by_id=user.pk)

    def with_document(self) -> PromotionRequestQuerySet:
        """With everything that the document of a request shows, in the same query."""
        return self.select_related("tenant", "reverses", *PEOPLE)


class PromotionRequest(models.Model):
    """A wish to bring one version of one thing from staging to production."""

    number = models.CharField(max_length=20, unique=True, help_text="PR-YYYY-NNNN.")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="promotions")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="promotions")
    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)

    target_type = models.CharField(max_length=20, choices=TargetType.choices)
    target_name = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    source_environment = models.CharField(max_length=50, default="staging")
    target_environment = models.CharField(max_length=50, default="prod")
    justification = models.TextField()
    release_notes = models.TextField()
    impact = models.CharField(max_length=10, choices=Impact.choices)
    rollback_plan = models.TextField()
    scheduled_at = models.DateTimeField(null=True, blank=True)
    staging_tests_passed = models.BooleanField()
    security_scan_passed = models.BooleanField()
    performance_tests_passed = models.BooleanField()
    test_evidence_url = models.URLField(max_length=1000)
    tickets = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of what is to be reviewed.")
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversals",
        help_text="The deployed request that this one takes back.",
    )  # fmt: skip

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When it lapses if nobody decides.")
    remind_at = models.DateTimeField(null=True, blank=True, help_text="When its approvers are reminded next.")
    reminders = models.PositiveSmallIntegerField(default=0, help_text="How often they were reminded.")
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    approval_comment = models.TextField(blank=True)
    approved_digest = models.CharField(max_length=64, blank=True)
    rejected_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    rejected_at = models.DateTimeField(null=True, blank=True)
    rejection_reason = models.TextField(blank=True)
    glass_broken_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="Who had it deployed before anyone approved it.",
    )  # fmt: skip
    glass_broken_at = models.DateTimeField(null=True, blank=True)
    glass_reason = models.TextField(blank=True)
    glass_digest = models.CharField(max_length=64, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True, help_text="Until when someone else has to look at it.")
    review_remind_at = models.DateTimeField(null=True, blank=True, help_text="When the review is called in next.")
    review_reminders = models.PositiveSmallIntegerField(default=0, help_text="How often it was called in.")
    objected_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    objected_at = models.DateTimeField(null=True, blank=True)
    objection = models.TextField(blank=True)
    deployed_at = models.DateTimeField(null=True, blank=True)
    replaced_version = models.CharField(max_length=100, blank=True, help_text="What production ran before.")

    objects = PromotionRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("force_promotionrequest", "Can force the state of a request")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="promotion_state_known"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("author")), name="promotion_approver_is_not_author"
            ),
            models.CheckConstraint(
                condition=Q(rejected_by=None) | ~Q(rejected_by=F("author")), name="promotion_rejecter_is_not_author"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None, approved_digest="")
                | Q(approved_by__isnull=False, approved_at__isnull=False) & ~Q(approved_digest=""),
                name="promotion_approval_whole",
            ),
            models.CheckConstraint(
                condition=Q(rejected_by=None, rejected_at=None, rejection_reason="")
                | Q(rejected_by__isnull=False, rejected_at__isnull=False) & ~Q(rejection_reason=""),
                name="promotion_rejection_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["scheduled", "approved", "deploying", "deployed", "failed", "rolled_back"])
                | Q(approved_by__isnull=False, approved_digest=F("digest"))
                | Q(glass_broken_by__isnull=False, glass_digest=F("digest")),
                name="promotion_nothing_without_approval_of_this_content",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | Q(rejected_by__isnull=False), name="promotion_rejected_by_someone"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | Q(glass_broken_by=None) | ~Q(approved_by=F("glass_broken_by")),
                name="promotion_approver_did_not_break_the_glass",
            ),
            models.CheckConstraint(
                condition=Q(objected_by=None)
                | Q(glass_broken_by__isnull=False, approved_by=None)
                & ~Q(objected_by=F("author"))
                & ~Q(objected_by=F("glass_broken_by")),
                name="promotion_objection_is_someone_elses",
            ),
            models.CheckConstraint(
                condition=Q(
                    glass_broken_by=None, glass_broken_at=None, review_due_at=None, glass_reason="", glass_digest=""
                )
                | Q(glass_broken_by__isnull=False, glass_broken_at__isnull=False, review_due_at__isnull=False)
                & ~Q(glass_reason="")
                & ~Q(glass_digest=""),
                name="promotion_broken_glass_whole",
            ),
            models.CheckConstraint(
                condition=Q(objected_by=None, objected_at=None, objection="")
                | Q(objected_by__isnull=False, objected_at__isnull=False) & ~Q(objection=""),
                name="promotion_objection_whole",
            ),
            models.UniqueConstraint(
                fields=["tenant", "target_type", "target_name"],
                condition=Q(state__in=ACTIVE),
                name="promotion_one_active_per_target",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="promotion_of_tenant"),
            models.Index(fields=["state", "-id"], name="promotion_by_state"),
            models.Index(fields=["tenant", "state", "-id"], name="promotion_tenant_state"),
            models.Index(fields=["author", "-id"], name="promotion_of_author"),
            models.Index(fields=["-created_at"], name="promotion_by_time"),
            models.Index(fields=["scheduled_at"], condition=Q(state="scheduled"), name="promotion_due"),
            models.Index(fields=["expires_at"], condition=Q(state="pending"), name="promotion_lapsing"),
            models.Index(fields=["remind_at"], condition=Q(state="pending"), name="promotion_to_remind"),
            models.Index(
                fields=["review_remind_at"],
                condition=Q(review_remind_at__isnull=False),
                name="promotion_review_to_remind",
            ),
            models.Index(
                fields=["tenant", "-id"],
                condition=Q(glass_broken_by__isnull=False, approved_by=None, objected_by=None),
                name="promotion_review_owed",
            ),
            # What the counts of the day and the week look for.
            models.Index(fields=["approved_at"], condition=Q(approved_at__isnull=False), name="promotion_approved"),
            models.Index(fields=["rejected_at"], condition=Q(rejected_at__isnull=False), name="promotion_rejected"),
            models.Index(fields=["deployed_at"], condition=Q(deployed_at__isnull=False), name="promotion_deployed"),
            GinIndex(SEARCH_VECTOR, name="promotion_text"),
            GinIndex(fields=["tickets"], name="promotion_of_ticket"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def title(self) -> str:
        return f"{self.target_name} v{self.version.removeprefix('v')}"

    @property
    def review(self) -> Review:
        """Whether someone else still has to look at it because the glass was broken."""
        if self.glass_broken_by_id is None:
            return Review.NONE
        if self.objected_by_id is not None:
            return Review.OBJECTED
        return Review.OWED if self.approved_by_id is None else Review.APPROVED

    @property
    def content(self) -> PromotionContent:
        """What was asked for, as the requester put it."""
        return PromotionContent(
            **{name: getattr(self, name) for name in PromotionContent.__dataclass_fields__ if name != "tickets"},
            tickets=tuple(self.tickets),
        )


class NumberCounter(models.Model):
    """The last number given out in a year; its row lock makes numbers gap-free."""

    year = models.PositiveIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)


class DeploymentTarget(models.Model):
    """How a tenant's things are deployed: by which deployer, with which options; an empty name means all others."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="deployment_targets")
    target_type = models.CharField(max_length=20, choices=TargetType.choices, blank=True)
    target_name = models.CharField(max_length=200, blank=True)
    deployer = models.CharField(max_length=40, help_text="A name of the DEPLOYERS setting.")
    options = models.JSONField(default=dict, blank=True, help_text="For the deployer, such as a command or template.")
    time_limit = models.PositiveIntegerField(default=1800, help_text="Seconds after which a run counts as failed.")

    class Meta:
        ordering = ["tenant", "target_type", "target_name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "target_type", "target_name"], name="deployment_target_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.target_type or 'any type'} {self.target_name or 'any name'}"


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def active(self) -> DeploymentQuerySet:
        return self.filter(state__in=DEPLOYMENT_ACTIVE)


class Deployment(models.Model):
    """One attempt to deploy an approved request; the nonce finds its job again whatever happens in between."""

    promotion = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="deployments")
    attempt = models.PositiveIntegerField()
    nonce = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=20, choices=DeploymentState.choices, default=DeploymentState.QUEUED)
    deployer = models.CharField(max_length=40)
    options = models.JSONField(default=dict, blank=True)
    job_id = models.CharField(max_length=100, blank=True, help_text="What the deployer calls the run.")
    error = models.TextField(blank=True)
    note = models.TextField(blank=True, help_text="What it waits for, such as an AWX that does not answer.")
    log = models.TextField(blank=True)
    log_offset = models.BigIntegerField(default=0, help_text="How far the deployer's output has been read.")
    result = models.JSONField(default=dict, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    # When to look at it next; whoever moves this forward has the right to do the looking.
    next_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0, help_text="How often the launch was attempted.")
    launch_sent_at = models.DateTimeField(null=True, blank=True, help_text="When the deployer was last told to start.")

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["promotion", "attempt"], name="deployment_attempt_once"),
            models.UniqueConstraint(
                fields=["promotion"], condition=Q(state__in=DEPLOYMENT_ACTIVE), name="deployment_one_active"
            ),
            models.CheckConstraint(condition=Q(state__in=DeploymentState.values), name="deployment_state_known"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state__in=DEPLOYMENT_ACTIVE), name="deployment_to_look_at")
        ]

    def __str__(self) -> str:
        return f"{self.promotion} attempt {self.attempt}"

    @property
    def deployment_id(self) -> str:
        """Its public name, as in the audit trail."""
        return f"deploy-{self.nonce.hex[:12]}"


class RunningVersion(models.Model):
    """What an environment of a tenant runs now, as far as was deployed or reported."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="running_versions")
    environment = models.CharField(max_length=50)
    target_type = models.CharField(max_length=20, choices=TargetType.choices)
    target_name = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    since = models.DateTimeField(default=timezone.now)
    promotion = models.ForeignKey(PromotionRequest, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["environment", "target_type", "target_name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "environment", "target_type", "target_name"], name="running_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.target_name} {self.version} in {self.environment}"


class AuditRemote(models.Model):
    """How far the audit repository has reached one remote, and what stands in the way."""

    address = models.CharField(max_length=500, unique=True, help_text="Without a password.")
    pushed_commit = models.CharField(max_length=64, blank=True, help_text="The remote's main when we last saw it.")
    pushed_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Failed ones since it last worked.")
    next_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True)
    rewritten_at = models.DateTimeField(null=True, blank=True, help_text="Since when it lacks what was pushed.")
    rewritten_to = models.CharField(max_length=64, blank=True, help_text="The main it has instead.")

    def __str__(self) -> str:
        return self.address
