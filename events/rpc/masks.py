"""Updates over gRPC: the whole event, or only what the update mask names."""

from __future__ import annotations

from core.errors import InvalidInput
from events.tracker.wire.codec import MessageCodec, Plain, codec_of

_NESTED = ("attributes", "links")


def narrow_to_mask(codec: MessageCodec, plain: Plain) -> Plain:
    """What the mask names; all of it, absent parts as empty ones, when there is no mask. InvalidInput for unknown paths."""
    whole = dict(plain)
    for name in _NESTED:
        inner = codec.by_key[name].message
        assert inner is not None
        if whole[name] is None:
            whole[name] = codec_of(inner).from_proto(codec_of(inner).make())
    paths = plain.get("update_mask")
    if not paths:
        return whole
    narrowed: Plain = {name: plain[name] for name in ("id", "slack_id")}
    for path in paths:
        outer, _, inner_name = path.partition(".")
        known = whole[outer] if outer in _NESTED else {}
        if outer not in ("title", *_NESTED) or (inner_name and inner_name not in known):
            raise InvalidInput({"updateMask": [f"updateMask names {path!r}, which is no field of an event."]})
        if not inner_name:
            narrowed[outer] = whole[outer]
        else:
            narrowed.setdefault(outer, {})[inner_name] = whole[outer][inner_name]
    return narrowed
