"""Applications, their modules and releases, and the stamps of tickets: deltas over production."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from iep.states import OPEN, Stage
from iep.validation import fold
from tickets.models import Project, Ticket
from tickets.models.projects import tenant_rule

SLUG = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
# Words that follow /iep/ in addresses of ours.
RESERVED_SLUGS = ("m", "map", "login", "new", "static")
ORIGIN = r"^(?:\*|https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)\Z"
DIGEST = RegexValidator(r"^[0-9a-f]{64}\Z", "A SHA-256 is 64 digits of 0-9 and a-f.")


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, user: User) -> ApplicationQuerySet:
        """Those of tenants whose applications `user` may view."""
        rule = tenant_rule(user, Capability.VIEW_APPLICATIONS)
        return self if rule is None else self.filter(rule)


class Application(models.Model):
    """A front-end made of ES modules; `revision` counts its production revisions."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="applications")
    slug = models.CharField(
        max_length=40, unique=True, validators=[RegexValidator(rf"^{SLUG}\Z")], help_text="As in /apps/<slug>/."
    )
    name = models.CharField(max_length=150)
    project = models.ForeignKey(
        Project, on_delete=models.SET_NULL, null=True, blank=True, related_name="applications",
        help_text="Where the tickets belong that a first stamp opens; empty: stamps need a ticket that is there.",
    )  # fmt: skip
    page = models.TextField(blank=True, help_text="The HTML entry, with <!-- importmap --> in its head.")
    sign_off = models.BooleanField(default=True, help_text="Production only through an approved promotion request.")
    policies = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, help_text="Names of the IEP_POLICIES setting."
    )
    policy_options = models.JSONField(
        default=dict, blank=True, help_text='By policy, such as {"freeze": {"until": …}}.'
    )
    repository = models.CharField(max_length=500, blank=True, help_text="Address of the git repository.")
    repository_path = models.CharField(max_length=300, blank=True, help_text="Folder of the application in it.")
    allowed_origins = ArrayField(
        models.CharField(max_length=255, validators=[RegexValidator(ORIGIN)]), default=list, blank=True,
        help_text="Other sites whose pages may load its modules, such as https://www.example.com; * for every site.",
    )  # fmt: skip
    revision = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [models.CheckConstraint(condition=~Q(slug__in=RESERVED_SLUGS), name="application_slug_free")]

    def __str__(self) -> str:
        return self.slug


class Blob(models.Model):
    """Bytes that an application has, by their SHA-256; the bytes themselves are in the storage `blobs`."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="blobs")
    digest = models.CharField(max_length=64, validators=[DIGEST])
    size = models.PositiveBigIntegerField()
    imports = ArrayField(models.CharField(max_length=600), null=True, editable=False)
    lazy = ArrayField(models.CharField(max_length=600), default=list, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["application", "digest"], name="blob_once")]

    def __str__(self) -> str:
        return self.digest


class FoldedField(models.CharField):
    """The object's path as file systems compare it that do not tell cases apart."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        return fold(model_instance.path)  # type: ignore[attr-defined]


class Module(models.Model):
    """What production has at a path now, and since which revision."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="modules")
    path = models.CharField(max_length=512)
    folded = FoldedField(max_length=1536, editable=False, default="")
    digest = models.CharField(max_length=64, validators=[DIGEST])
    size = models.PositiveBigIntegerField()
    revision = models.PositiveIntegerField()

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["application", "path"], name="module_once"),
            models.UniqueConstraint(fields=["application", "folded"], name="module_without_twin"),
        ]

    def __str__(self) -> str:
        return self.path


class Stamp(models.Model):
    """A ticket's delta over the production of one application, and the stage it has reached."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="stamps")
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="stamps")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.DEV)
    revision = models.PositiveIntegerField(default=0, help_text="Grows with each change of the delta.")
    base_revision = models.PositiveIntegerField(default=0, help_text="Production when it began or was rebased.")
    delta = models.JSONField(default=dict)
    git = models.JSONField(null=True, blank=True)
    sign_off = models.CharField(max_length=40, blank=True, help_text="The promotion request it waits for.")
    released_revision = models.PositiveIntegerField(null=True, blank=True, help_text="The revision that brought it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-updated_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "ticket"], name="stamp_once"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="stamp_stage_known"),
            models.CheckConstraint(
                condition=~Q(stage=Stage.PROD) | Q(released_revision__isnull=False), name="stamp_in_prod_was_released"
            ),
            models.CheckConstraint(condition=Q(sign_off="") | Q(stage=Stage.QA), name="stamp_waits_in_qa_only"),
        ]
        indexes = [
            models.Index(fields=["application", "stage", "-updated_at"], name="stamp_of_stage"),
            GinIndex(fields=["delta"], name="stamp_paths"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket.key} on {self.application.slug}"

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN


class StampRevision(models.Model):
    """A stamp's delta as it was, and the production it stood on: what was tested can be looked at again."""

    stamp = models.ForeignKey(Stamp, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    delta = models.JSONField()
    production_revision = models.PositiveIntegerField()
    git = models.JSONField(null=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["stamp", "number"]
        constraints = [models.UniqueConstraint(fields=["stamp", "number"], name="stamp_revision_once")]

    def __str__(self) -> str:
        return f"{self.stamp}@{self.number}"


class ReleaseKind(models.TextChoices):
    BASELINE = "baseline"
    RELEASE = "release"
    REVERT = "revert"


class Release(models.Model):
    """A production revision: its parent is the one before; who brought it, why, and who approved it."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="releases")
    revision = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=ReleaseKind.choices)
    stamp = models.ForeignKey(Stamp, on_delete=models.PROTECT, null=True, blank=True, related_name="releases")
    stamp_revision = models.PositiveIntegerField(null=True, blank=True)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="undone_by")
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True)
    request = models.CharField(max_length=40, blank=True, help_text="The promotion request that asked for it.")
    approvals = models.JSONField(default=list, blank=True)
    nonce = models.CharField(max_length=64, null=True, blank=True, unique=True, help_text="Of the deployment attempt.")
    map_digest = models.CharField(max_length=64, blank=True, help_text="Of its import map, once that was asked for.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint(fields=["application", "revision"], name="release_once")]

    def __str__(self) -> str:
        return f"{self.application.slug} r{self.revision}"


class Change(models.Model):
    """What a release did to one path; digests are empty where there was or is no file."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="changes")
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()
    path = models.CharField(max_length=512)
    before = models.CharField(max_length=64, blank=True)
    before_size = models.PositiveBigIntegerField(default=0)
    after = models.CharField(max_length=64, blank=True)
    after_size = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["release", "path"]
        constraints = [models.UniqueConstraint(fields=["release", "path"], name="change_once")]
        indexes = [
            models.Index(fields=["application", "path", "-revision"], name="change_of_path"),
            models.Index(fields=["application", "-revision"], name="change_of_revision"),
        ]

    def __str__(self) -> str:
        return self.path


class ImportMap(models.Model):
    """An import map as browsers get it, under the SHA-256 of exactly these bytes; never changed."""

    digest = models.CharField(max_length=64, primary_key=True, validators=[DIGEST])
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="maps")
    document = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["application", "-created_at"], name="map_of_application")]

    def __str__(self) -> str:
        return self.digest


class Judgement(models.Model):
    """What the policies said when a stamp was to go on: which were asked, for what, each verdict with its reason."""

    stamp = models.ForeignKey(Stamp, on_delete=models.CASCADE, related_name="judgements")
    revision = models.PositiveIntegerField(help_text="The stamp's, which they judged.")
    target = models.CharField(max_length=10, choices=Stage.choices)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    request = models.CharField(max_length=40, blank=True, help_text="The promotion request that rests on it.")
    verdicts = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["request"], name="judgement_of_request", condition=~Q(request=""))]

    def __str__(self) -> str:
        return f"{self.stamp} to {self.target}"


class SigningKey(models.Model):
    """A build server's Ed25519 key: what it signs, the application takes for built from the commit it names."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="signing_keys")
    name = models.CharField(max_length=100)
    public_key = models.CharField(max_length=64, help_text="The 32 bytes as hexadecimal digits.")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["application", "name"]
        constraints = [models.UniqueConstraint(fields=["application", "public_key"], name="signing_key_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_key[:12]})"


class SignedManifest(models.Model):
    """What a build server says that it built from a commit: path -> SHA-256, and which checks passed there."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="signed_manifests")
    key = models.ForeignKey(SigningKey, on_delete=models.CASCADE, related_name="manifests")
    commit = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, validators=[DIGEST], help_text="Of the signed bytes.")
    files = models.JSONField()
    checks = models.JSONField(default=dict)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["application", "digest", "key"], name="signed_manifest_once")]
        indexes = [models.Index(fields=["application", "commit"], name="signed_manifest_of_commit")]

    def __str__(self) -> str:
        return f"{self.application.slug} {self.commit[:10]}"


class LoginRequest(models.Model):
    """A program that asks to act for a person: it holds the device code, the person confirms the short one."""

    device_digest = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=9, unique=True)
    client = models.CharField(max_length=100)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    decision = models.CharField(max_length=10, blank=True)
    expires_at = models.DateTimeField(db_index=True)
    polled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.client


def digest_or_none(entry: dict[str, Any] | None) -> str | None:
    """The digest of a delta's entry; None for removed and for none."""
    return entry["digest"] if entry else None
