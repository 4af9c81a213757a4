"""Addresses of the REST face of import maps, below v1/iep/."""

from __future__ import annotations

from core.rest import both_spellings
from iep.api import blobs, login, signing, views

_APP = "applications/<str:app>"
_STAMP = f"{_APP}/stamps/<str:ticket>"

urlpatterns = [
    *both_spellings("login", login.LoginView.as_view(), "api_iep_login"),
    *both_spellings("login/token", login.LoginTokenView.as_view(), "api_iep_login_token"),
    *both_spellings("applications", views.ApplicationsView.as_view(), "api_iep_applications"),
    *both_spellings(_APP, views.ApplicationView.as_view(), "api_iep_application"),
    *both_spellings(f"{_APP}/modules", views.ModulesView.as_view(), "api_iep_modules"),
    *both_spellings(f"{_APP}/releases", views.ReleasesView.as_view(), "api_iep_releases"),
    *both_spellings(f"{_APP}/blobs/<str:digest>", blobs.BlobView.as_view(), "api_iep_blob"),
    *both_spellings(f"{_APP}/keys", signing.KeysView.as_view(), "api_iep_keys"),
    *both_spellings(f"{_APP}/keys/<str:key>/revoke", signing.KeyRevokeView.as_view(), "api_iep_key_revoke"),
    *both_spellings(f"{_APP}/manifests", signing.ManifestsView.as_view(), "api_iep_manifests"),
    *both_spellings(f"{_APP}/stamps", views.StampsView.as_view(), "api_iep_stamps"),
    *both_spellings(_STAMP, views.StampView.as_view(), "api_iep_stamp"),
    *both_spellings(f"{_STAMP}/history", views.HistoryView.as_view(), "api_iep_history"),
    *both_spellings(f"{_STAMP}/diff", views.DiffView.as_view(), "api_iep_diff"),
    *both_spellings(f"{_STAMP}/promote", views.PromoteView.as_view(), "api_iep_promote"),
    *both_spellings(f"{_STAMP}/revert", views.RevertView.as_view(), "api_iep_revert"),
    *both_spellings(f"{_STAMP}/close", views.CloseView.as_view(), "api_iep_close"),
    *both_spellings(f"{_STAMP}/reopen", views.ReopenView.as_view(), "api_iep_reopen"),
    *both_spellings(f"{_STAMP}/rebase", views.RebaseView.as_view(), "api_iep_rebase"),
    *both_spellings(f"{_STAMP}/approve", views.ApproveView.as_view(), "api_iep_approve"),
    *both_spellings(f"{_STAMP}/check", views.CheckView.as_view(), "api_iep_check"),
    *both_spellings(f"{_STAMP}/link", views.LinkView.as_view(), "api_iep_link"),
]
