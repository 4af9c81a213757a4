"""An AWX to deploy with, and less patience with it than production has."""

from __future__ import annotations

import pytest

from promotions.deployers import awx_client
from promotions.deployers.awx import AwxDeployer


@pytest.fixture
def deployer(awx) -> AwxDeployer:
    return AwxDeployer(url=awx.url, token=awx.token)


@pytest.fixture
def patience(monkeypatch):
    """Wait less long for an AWX that does not answer."""
    monkeypatch.setattr(awx_client, "READ_PATIENCE", 0.5)
    awx_client.client_for.cache_clear()
    yield
    awx_client.client_for.cache_clear()
