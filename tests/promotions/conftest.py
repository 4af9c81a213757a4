"""An AWX that misbehaves on demand, and targets that deploy by it."""

from __future__ import annotations

import copy

import pytest

from promotions.models import Deployment, DeploymentTarget
from tests.fakes.running import FakeAwx, running_awx
from tests.promotions.deploying import approved

AWX_SECRETS = ["the-old-secret", "the-new-secret"]


@pytest.fixture(scope="session")
def awx_server():
    with running_awx() as fake:
        yield fake


@pytest.fixture
def awx(awx_server) -> FakeAwx:
    awx_server.behave()
    return awx_server


@pytest.fixture
def awx_settings(settings, awx):
    """Stagepass is configured for this AWX, and takes two webhook secrets: one is being rotated."""
    settings.DEPLOYERS = copy.deepcopy(settings.DEPLOYERS)
    settings.DEPLOYERS["awx"]["OPTIONS"] |= {"url": awx.url, "token": awx.token}
    settings.AWX_WEBHOOK_SECRETS = AWX_SECRETS
    return settings


@pytest.fixture
def awx_target(tenant, awx_settings) -> DeploymentTarget:
    return DeploymentTarget.objects.create(tenant=tenant, deployer="awx", options={"job_template": 7})


@pytest.fixture
def deployment(pending, cpi, awx_target) -> Deployment:
    """An attempt that may be launched, by AWX."""
    return approved(pending, cpi)
