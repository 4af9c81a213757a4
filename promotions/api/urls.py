"""Addresses of the REST face of promotion requests; fixed words before ids."""

from __future__ import annotations

from core.rest import both_spellings
from promotions.api import views

_ONE = f"{views.BASE[1:]}/<str:number>"
_ATTEMPT = f"{_ONE}/deployments/<int:attempt>"

urlpatterns = [
    *both_spellings(views.BASE[1:], views.RequestsView.as_view(), "api_requests"),
    *both_spellings(f"{views.BASE[1:]}/my", views.MyRequestsView.as_view(), "api_my_requests"),
    *both_spellings(f"{views.BASE[1:]}/pending", views.PendingRequestsView.as_view(), "api_pending_requests"),
    *both_spellings(f"{views.BASE[1:]}/stats", views.StatsView.as_view(), "api_stats"),
    *both_spellings(_ONE, views.RequestView.as_view(), "api_request"),
    *both_spellings(f"{_ONE}/approve", views.ApproveView.as_view(), "api_approve"),
    *both_spellings(f"{_ONE}/reject", views.RejectView.as_view(), "api_reject"),
    *both_spellings(f"{_ONE}/break-glass", views.BreakGlassView.as_view(), "api_break_glass"),
    *both_spellings(f"{_ONE}/approve-afterwards", views.ApproveAfterwardsView.as_view(), "api_approve_afterwards"),
    *both_spellings(f"{_ONE}/object", views.ObjectView.as_view(), "api_object"),
    *both_spellings(f"{_ONE}/withdraw", views.WithdrawView.as_view(), "api_withdraw"),
    *both_spellings(f"{_ONE}/retry", views.RetryView.as_view(), "api_retry"),
    *both_spellings(f"{_ONE}/cancel", views.CancelView.as_view(), "api_cancel"),
    *both_spellings(f"{_ONE}/rollback", views.RollbackView.as_view(), "api_rollback"),
    *both_spellings(f"{_ONE}/comments", views.CommentsView.as_view(), "api_comments"),
    *both_spellings(f"{_ONE}/deployments", views.DeploymentsView.as_view(), "api_deployments"),
    *both_spellings(_ATTEMPT, views.DeploymentView.as_view(), "api_deployment"),
    *both_spellings(f"{_ATTEMPT}/log", views.DeploymentLogView.as_view(), "api_deployment_log"),
]
