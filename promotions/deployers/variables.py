"""What a deployment is told about its request: the same values for commands, playbooks and job templates."""

from __future__ import annotations

import json
import re
from typing import Any

from promotions.deployers.base import DeployerRefused, Job

_TEMPLATING = re.compile(r"\{\{|\{%|\{#")


def values_of(job: Job) -> dict[str, Any]:
    """The request and its attempt as flat names and values."""
    metadata, target = job.request["metadata"], job.request["spec"]["target"]
    return {
        "request_id": metadata["id"],
        "deployment_id": job.deployment_id,
        "attempt": job.attempt,
        "nonce": job.nonce,
        "tenant": metadata["tenant"],
        "requested_by": metadata["createdBy"],
        "approved_by": job.request.get("status", {}).get("approvedBy") or "",
        "target_type": target["type"],
        "target_name": target["name"],
        "version": target["version"],
        "source_environment": target["sourceEnvironment"],
        "target_environment": target["targetEnvironment"],
    }


def environment_of(job: Job) -> dict[str, str]:
    """The values for shell scripts: STAGEPASS_REQUEST_ID and so on."""
    return {f"STAGEPASS_{name.upper()}": str(value) for name, value in values_of(job).items()}


def extra_vars_of(job: Job) -> dict[str, Any]:
    """The values for Ansible, with the target's own `extra_vars`, all as data.

    DeployerRefused when those would replace ours, or when Ansible would run a value as a template.
    """
    own, extra = values_of(job), job.options.get("extra_vars", {})
    if not isinstance(extra, dict):
        raise DeployerRefused("In the options of the deployment target, extra_vars must be an object.")
    if taken := sorted(own.keys() & extra.keys()):
        raise DeployerRefused(f"extra_vars of the deployment target may not set {', '.join(taken)}: the request does.")
    variables = {**extra, **own}
    for name, value in variables.items():
        if _TEMPLATING.search(json.dumps({name: value}, ensure_ascii=False)):
            raise DeployerRefused(f"{name} contains {{{{ or {{%, which Ansible would run. Take it out.")
    return variables
