"""The chain of a thing on its page: {% chain "ticket" ticket.key ticket.tenant %}."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse

from accounts.models import Tenant
from events.chain.lines import told_chain

register = template.Library()


@register.inclusion_tag("components/chain.html", takes_context=True)
def chain(context: RequestContext, kind: str, key: object, tenant: Tenant) -> dict[str, Any]:
    """What a thing came of and led to, as far as the person may see it; nothing when it stands alone."""
    told = told_chain(context["request"].user, tenant, kind, str(key))
    return {"chain_lines": told.lines, "more": told.more, "address": told.address}


@register.inclusion_tag("components/chain_later.html")
def chain_later(kind: str, key: object, tenant: Tenant) -> dict[str, Any]:
    """The same, asked for once the page is there: for pages that have read enough; a link where there is no JavaScript."""
    return {"address": f"{reverse('chain', args=[kind, str(key)])}?tenant={tenant.slug}"}
