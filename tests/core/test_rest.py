"""What forms take and refuse, however often one is used."""

from __future__ import annotations

import pytest
from rest_framework import serializers

from core.rest import StrictSerializer, TextField


class Part(StrictSerializer):
    name = TextField(max_length=3)


class Form(StrictSerializer):
    title = TextField()
    tags = serializers.ListField(child=TextField(), required=False, default=list)
    parts = Part(many=True, required=False, default=list)


def test_a_form_remembers_nothing_of_what_it_checked():
    first = Form.checked({"title": "one", "parts": [{"name": "abc"}]})
    first["tags"].append("mine")
    with pytest.raises(serializers.ValidationError) as refused:
        Form.checked({"title": 1, "parts": [{"name": "abc"}, {"name": "long", "more": 1}], "other": 2})
    assert set(refused.value.detail) == {"title", "parts", "other"}
    assert Form.checked({"title": "two"}) == {"title": "two", "tags": [], "parts": []}


@pytest.mark.parametrize("data", [[], "text", 7])
def test_what_is_no_object_is_refused_as_such(data):
    with pytest.raises(serializers.ValidationError, match="Send a JSON object"):
        Form.checked(data)
