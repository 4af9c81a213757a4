"""The shapes of the stamp API's answers, for its description."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from iep.states import Stage

Shape = s.Serializer[Any]


class Application(Shape):
    app = s.CharField()
    name = s.CharField()
    tenant = s.CharField()
    url = s.CharField()
    production_revision = s.IntegerField()
    sign_off = s.BooleanField()
    repository = s.CharField()
    policies = s.ListField(child=s.CharField())
    modules = s.IntegerField()
    stages = s.DictField(child=s.IntegerField())


class ModuleFile(Shape):
    path = s.CharField()
    digest = s.CharField()
    size = s.IntegerField()


class Modules(Shape):
    production_revision = s.IntegerField()
    modules = ModuleFile(many=True)


class ReleaseChange(Shape):
    path = s.CharField()
    before = s.CharField(allow_null=True)
    after = s.CharField(allow_null=True)


class Release(Shape):
    revision = s.IntegerField()
    kind = s.ChoiceField(["baseline", "release", "revert"])
    ticket = s.CharField(allow_null=True)
    by = s.CharField()
    reason = s.CharField()
    request = s.CharField(allow_null=True)
    approvals = s.ListField(child=s.DictField())
    undoes = s.IntegerField(allow_null=True)
    at = s.DateTimeField()
    changes = ReleaseChange(many=True)


class StampChange(Shape):
    path = s.CharField()
    change = s.ChoiceField(["modified", "added", "removed"])
    digest = s.CharField(allow_null=True)
    before = s.CharField(allow_null=True)
    size = s.IntegerField()
    conflict = s.CharField(allow_null=True)


class StampConflict(Shape):
    kind = s.ChoiceField(["same_key", "changed_in_production", "dependency_changed"])
    path = s.CharField()
    ticket = s.CharField(allow_null=True)
    detail = s.CharField()


class StampSignOff(Shape):
    request = s.CharField()
    state = s.CharField()
    url = s.CharField(allow_null=True)


class Stamp(Shape):
    app = s.CharField()
    ticket = s.CharField()
    title = s.CharField()
    stage = s.ChoiceField(Stage.values)
    revision = s.IntegerField()
    production_revision = s.IntegerField()
    base_revision = s.IntegerField()
    author = s.CharField()
    updated_at = s.DateTimeField()
    changes = StampChange(many=True)
    conflicts = StampConflict(many=True)
    git = s.DictField(allow_null=True)
    sign_off = StampSignOff(allow_null=True)
    released_revision = s.IntegerField(allow_null=True)
    preview_url = s.CharField(allow_null=True)
    pinned_url = s.CharField(allow_null=True)
    panel_url = s.CharField()


class Stamped(Stamp):
    changed = s.ListField(child=s.CharField())
    unchanged = s.IntegerField()
    stale = s.ListField(child=s.CharField())


class PolicyVerdict(Shape):
    policy = s.CharField()
    outcome = s.ChoiceField(["pass", "warn", "block"])
    reason = s.CharField()


class Judgement(Shape):
    target = s.ChoiceField(["qa", "prod"])
    revision = s.IntegerField()
    allowed = s.BooleanField()
    request = s.CharField(allow_null=True)
    by = s.CharField()
    at = s.DateTimeField()
    verdicts = PolicyVerdict(many=True)


class StampRead(Stamp):
    judgement = Judgement(allow_null=True)


class Key(Shape):
    id = s.IntegerField()
    name = s.CharField()
    public_key = s.CharField()
    added_by = s.CharField()
    added_at = s.DateTimeField()
    revoked_at = s.DateTimeField(allow_null=True)


class SignedManifest(Shape):
    commit = s.CharField()
    digest = s.CharField()
    key = s.CharField()
    files = s.IntegerField()
    checks = s.DictField()
    at = s.DateTimeField()


class Promoted(Stamp):
    verdicts = PolicyVerdict(many=True)
    release = Release(required=False)


class StampStep(Shape):
    at = s.DateTimeField()
    fact = s.CharField()
    by = s.CharField()
    revision = s.IntegerField(allow_null=True)
    detail = s.CharField()


class DiffSide(Shape):
    digest = s.CharField()
    size = s.IntegerField()
    text = s.CharField(allow_null=True)


class Diff(Shape):
    path = s.CharField()
    before = DiffSide(allow_null=True)
    after = DiffSide(allow_null=True)


class Check(Shape):
    next = s.CharField(allow_null=True)
    allowed = s.BooleanField()
    verdicts = PolicyVerdict(many=True)
    conflicts = StampConflict(many=True)


class PreviewLink(Shape):
    url = s.CharField()
    expires_at = s.DateTimeField()


class StoredBlob(Shape):
    digest = s.CharField()
    size = s.IntegerField()


class LoginBegun(Shape):
    device_code = s.CharField()
    user_code = s.CharField()
    verification_url = s.CharField()
    verification_url_complete = s.CharField()
    interval = s.IntegerField()
    expires_in = s.IntegerField()


class LoginDone(Shape):
    secret = s.CharField(allow_null=True)
    email = s.CharField()
    scopes = s.ListField(child=s.CharField())
    expires_at = s.DateTimeField()


class Resolved(Shape):
    map = s.CharField()
    url = s.CharField()
