"""The REST face of blobs: raw bytes under their digest, checked while they come in."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import DomainError, InvalidInput, NotFound
from iep import services, storage
from iep.api import answers
from iep.api.views import IepApiView
from iep.models import Blob
from iep.storage import TooLarge, WrongDigest
from iep.validation import MAX_BYTES, is_digest

PIECE = 64 * 1024
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]{44}):")
DIGEST_HEADER = OpenApiParameter(
    "Content-Digest", OpenApiTypes.STR, OpenApiParameter.HEADER, description="RFC 9530: `sha-256=:<base64>:`.",
)  # fmt: skip


class RawParser(BaseParser):
    """Leaves the body where it is; the view reads it piece by piece."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


class LengthRequired(DomainError):
    status = 411
    code = "length_required"
    title = "Length required"


class BlobView(IepApiView):
    parser_classes = [RawParser]
    changes_per_minute = 0  # a first tree is hundreds of files; their number and size are limited elsewhere

    @extend_schema(operation_id="read_blob", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, app: str, digest: str) -> HttpResponse:
        """The bytes of a file that the application has."""
        known = Blob.objects.filter(application=self.application(app), digest=digest).exists()
        content = storage.read(digest) if known and is_digest(digest) else None
        if content is None:
            raise NotFound("The application has no file with this digest.")
        return HttpResponse(content, content_type="application/octet-stream", headers={"ETag": f'"{digest}"'})

    @extend_schema(
        operation_id="store_blob", parameters=[DIGEST_HEADER],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: answers.StoredBlob, 201: answers.StoredBlob},
    )  # fmt: skip
    def put(self, request: Request, app: str, digest: str) -> Response:
        """Store a file under the SHA-256 of its bytes; 201 when they are new, 200 when they were known."""
        application = self.application(app)
        length = self._length()
        self._check_header(digest)
        stream = request._request
        blob, is_new = services.store_blob(
            application=application, digest=digest, chunks=_pieces(stream, length), by=self.user
        )
        return Response({"digest": blob.digest, "size": blob.size}, status=201 if is_new else 200)

    def _length(self) -> int:
        told = self.request.headers.get("Content-Length") or "0"
        if "Transfer-Encoding" in self.request.headers or not (told.isascii() and told.isdigit()):
            raise LengthRequired("Send a Content-Length.")
        if len(told) > 15 or int(told) > MAX_BYTES:
            raise TooLarge(f"A file has at most {MAX_BYTES} bytes.")
        return int(told)

    def _check_header(self, digest: str) -> None:
        """Refuse before a byte is read when the header announces other bytes than the address."""
        given = self.request.headers.get("Content-Digest")
        if given is None:
            return
        found = _DIGEST.fullmatch(given.strip())
        try:
            told = base64.b64decode(found[1], validate=True).hex() if found else ""
        except binascii.Error:
            told = ""
        if not told:
            raise InvalidInput({"Content-Digest": ["Send sha-256=:<base64>: or leave it out."]})
        if told != digest:
            raise WrongDigest("Content-Digest and the address name different bytes.")


def _pieces(stream: Any, length: int) -> Iterator[bytes]:
    left = length
    while left > 0:
        piece = stream.read(min(PIECE, left))
        if not piece:
            return
        left -= len(piece)
        yield piece
