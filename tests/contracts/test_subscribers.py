"""Whoever is told of facts can be called the way the outbox calls."""

from __future__ import annotations

import inspect

import pytest
from django.conf import settings

from core.plugins import load_callable

HANDLERS = {name: entry["handler"] for name, entry in settings.SUBSCRIBERS.items() if "handler" in entry}


@pytest.mark.parametrize("channel", HANDLERS)
def test_a_handler_takes_one_delivery(channel):
    parameters = list(inspect.signature(load_callable(HANDLERS[channel])).parameters.values())
    assert [parameter.annotation for parameter in parameters] == ["Delivery"]
