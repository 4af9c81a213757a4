"""The REST face of build servers' keys and of the manifests that they sign."""

from __future__ import annotations

import base64
import binascii

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import InvalidInput
from core.paging import read_key
from iep import selectors, services, wire
from iep.api import answers, forms
from iep.api.views import READ, RELEASE, IepApiView

SHOWN_MANIFESTS = 50


class KeysView(IepApiView):
    scopes = {"GET": READ, "POST": RELEASE}

    @extend_schema(operation_id="list_signing_keys", responses=answers.Key(many=True))
    def get(self, request: Request, app: str) -> Response:
        """The keys whose signatures an application trusts, and those it trusted."""
        return Response([wire.render_key(key) for key in selectors.list_signing_keys(self.application(app))])

    @extend_schema(operation_id="add_signing_key", request=forms.KeyFields, responses={201: answers.Key})
    def post(self, request: Request, app: str) -> Response:
        """Trust what an Ed25519 key signs; PEM, base64 or hexadecimal."""
        form = self.body(forms.KeyFields)
        key = services.add_signing_key(
            application=self.application(app), name=form["name"], public_key=form["public_key"], by=self.user
        )
        return Response(wire.render_key(key), status=201)


class KeyRevokeView(IepApiView):
    scopes = {"POST": RELEASE}

    @extend_schema(operation_id="revoke_signing_key", request=forms.ReopenFields, responses=answers.Key)
    def post(self, request: Request, app: str, key: str) -> Response:
        """Trust a key no more, nor what it signed before; safe to repeat."""
        self.body(forms.ReopenFields)
        found = selectors.find_signing_key(self.application(app), read_key(key) or 0)
        return Response(wire.render_key(services.revoke_signing_key(key=found, by=self.user)))


class ManifestsView(IepApiView):
    @extend_schema(operation_id="list_signed_manifests", responses=answers.SignedManifest(many=True))
    def get(self, request: Request, app: str) -> Response:
        """What build servers signed last, the newest first."""
        found = selectors.list_signed_manifests(self.application(app))[:SHOWN_MANIFESTS]
        return Response([wire.render_manifest(each) for each in found])

    @extend_schema(
        operation_id="take_manifest", request=forms.ManifestFields,
        responses={200: answers.SignedManifest, 201: answers.SignedManifest},
    )  # fmt: skip
    def post(self, request: Request, app: str) -> Response:
        """Hand in a signed manifest: 201 when it is new, 200 when it is known; 422 `bad_signature`."""
        form = self.body(forms.ManifestFields)
        manifest, is_new = services.take_manifest(
            application=self.application(app), document=form["document"].encode(),
            signature=_bytes(form["signature"]), by=self.user,
        )  # fmt: skip
        return Response(wire.render_manifest(manifest), status=201 if is_new else 200)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput({"signature": ["Send the 64 bytes of the signature as base64."]}) from error
