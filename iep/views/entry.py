"""The entry points: an application's page and files, as production has them or with a ticket over them."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from accounts.authentication import require_scope
from accounts.models import User
from accounts.selectors import find_token
from core.errors import NotAllowed
from iep import maps, previews, storage
from iep.models import Application
from iep.previews import Choice, Preview
from iep.selectors.graph import loaded_at_once
from iep.serving import hosts
from iep.serving.files import type_of
from iep.serving.origins import headers_for
from iep.serving.pages import INTEGRITY, Page, entries_of, render_page
from iep.validation import ending

PRIVATE = "private, no-store"
FORGET = "forget"
ASKED = ("dev", "qa", previews.ANY)


@dataclass(slots=True)
class Visit:
    """What a visitor of an application gets: a preview or none, and what becomes of the cookie."""

    preview: Preview | None = None
    cookie: str = ""
    elsewhere: str = ""


@require_safe
def entry_page(request: HttpRequest, app: str, rest: str = "") -> HttpResponse:
    """/apps/<app>/…: the page for every address without a file's ending, else that file."""
    application = Application.objects.select_related("tenant").filter(slug=app).first()
    if application is None or not application.page:
        return _nothing()
    if type_of(rest) is not None:
        return _file(request, application, rest)
    if ending(rest) and "." in rest.rpartition("/")[2]:
        return _nothing()
    visit = visit_of(request, application)
    if visit.elsewhere:
        response: HttpResponse = HttpResponseRedirect(visit.elsewhere, headers={"Cache-Control": PRIVATE})
    elif visit.preview:
        response = _preview_page(application, visit.preview)
    else:
        response = _production_page(request, application)
    return _with_cookie(response, application, visit)


@require_safe
def entry_file(request: HttpRequest, app: str, path: str) -> HttpResponse:
    """/iep/m/<app>/<path> without a digest: what a stylesheet or `new URL('./x.png', import.meta.url)` asks for."""
    application = Application.objects.filter(slug=app).first()
    return _file(request, application, path) if application else _nothing()


@require_safe
def entry_map(request: HttpRequest, app: str, form: str) -> HttpResponse:
    """/iep/<app>/map.json?dev=…: the map of a preview, for the visitor alone; production's for everyone else."""
    application = Application.objects.select_related("tenant").filter(slug=app).first()
    if application is None:
        return _nothing()
    choice = previews.read_choice(_query(request))
    made = _map_of(application, _asked_here(request, application, choice))
    text = made if form == "json" else maps.script_of(made)
    kind = "application/importmap+json" if form == "json" else "text/javascript; charset=utf-8"
    response = HttpResponse(text, content_type=kind)
    response.headers["Cache-Control"] = PRIVATE if choice else "no-cache"
    return response


@require_safe
def resolve(request: HttpRequest, app: str) -> HttpResponse:
    """/iep/<app>/resolve?dev=…: which map an edge should put into the page it serves to this visitor."""
    application = Application.objects.select_related("tenant").filter(slug=app).first()
    if application is None:
        return _nothing()
    preview = _asked_here(request, application, previews.read_choice(_query(request)))
    digest = hashlib.sha256(_map_of(application, preview).encode()).hexdigest()
    found = {"map": digest, "url": f"/iep/map/{digest}.json", "script": f"/iep/map/{digest}.js"}
    return JsonResponse(found, headers={"Cache-Control": PRIVATE, "X-Content-Type-Options": "nosniff"})


def _asked_here(request: HttpRequest, application: Application, choice: Choice | None) -> Preview | None:
    """The preview that the address asks for; none where previews have hosts of their own, which ask by their cookies."""
    if hosts.is_on():
        return None
    return previews.find_preview(application, choice, user=person_of(request), link=request.GET.get("key", ""))


def person_of(request: HttpRequest) -> User | None:
    """Who asks: by a token that may read applications, else by the session."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = find_token(secret.strip())
        try:
            if token is not None:
                require_scope(token, "iep:read")
        except NotAllowed:
            return None
        return token.user if token else None
    return request.user if request.user.is_authenticated else None


def visit_of(request: HttpRequest, application: Application) -> Visit:
    """The address decides, then the cookie; what is not the visitor's to see leaves no trace."""
    query = _query(request)
    name = cookie_name(application)
    if hosts.is_on():
        label = hosts.label_in(request.get_host())
        return _visit_apart(request, application, label) if label else _visit_from_production(request, application)
    if previews.leaves(query):
        return Visit(cookie=FORGET if name in request.COOKIES else "")
    if previews.read_choice(query) is not None or any(stage in query for stage in ASKED):
        return _by_address(request, application)
    return _by_cookie(request, application, request.COOKIES.get(name, ""))


def _by_address(request: HttpRequest, application: Application) -> Visit:
    query = _query(request)
    user, link = person_of(request), query.get("key", "")
    preview = previews.find_preview(application, previews.read_choice(query), user=user, link=link)
    if preview is None:
        return Visit()
    by_link = link if previews.opened_by(link, application, [key for key, _ in preview.choice.tickets]) else ""
    return Visit(preview, previews.cookie_of(application, preview.choice, user, by_link))


def _visit_from_production(request: HttpRequest, application: Application) -> Visit:
    """Where previews have their own hosts, the site itself never shows one: it sends those there who may see it."""
    visit = _by_address(request, application)
    if visit.preview is None:
        return Visit()
    keys = [key for key, _ in visit.preview.choice.tickets]
    enter = urlencode({"enter": previews.ticket_of_entry(visit.cookie)})
    return Visit(elsewhere=f"{hosts.address_of(keys)}{request.path}?{enter}")


def _visit_apart(request: HttpRequest, application: Application, label: str) -> Visit:
    """On a preview's own host: by the cookie of this host alone. Who has none is sent to the site, which knows people."""
    if entry := request.GET.get("enter", ""):
        cookie = previews.cookie_of_entry(entry)
        if cookie:
            return Visit(cookie=cookie, elsewhere=request.path)
    cookie = request.COOKIES.get(cookie_name(application), "")
    if any(stage in request.GET for stage in ASKED):  # another ticket, or none: that is the site's to decide
        leaving = previews.leaves(_query(request))
        query = "" if leaving else f"?{request.GET.urlencode()}"
        return Visit(cookie=FORGET if leaving else "", elsewhere=f"{settings.SITE_URL}{request.path}{query}")
    user = previews.visitor_of_cookie(cookie)
    choice, link = previews.choice_of_cookie(cookie, application, user)
    keys = [key for key, _ in choice.tickets] if choice else []
    preview = previews.find_preview(application, choice, user=user, link=link)
    if preview is None or hosts.label_of(keys) != label:
        tickets = ",".join(label.upper().split(hosts.BETWEEN))
        home = f"{settings.SITE_URL}{request.path}?{urlencode({previews.ANY: tickets})}"
        return Visit(cookie=FORGET if cookie else "", elsewhere=home)
    return Visit(preview)


def _by_cookie(request: HttpRequest, application: Application, cookie: str) -> Visit:
    if not cookie:
        return Visit()
    user = person_of(request)
    choice, link = previews.choice_of_cookie(cookie, application, user)
    preview = previews.find_preview(application, choice, user=user, link=link)
    return Visit(preview, "" if preview else FORGET)


def _query(request: HttpRequest) -> dict[str, str]:
    return {name: str(request.GET.get(name)) for name in (*ASKED, "key") if name in request.GET}


def cookie_name(application: Application) -> str:
    prefix = "__Host-" if settings.SITE_URL.startswith("https:") else ""
    return f"{prefix}iep-{application.slug}"


def _with_cookie(response: HttpResponse, application: Application, visit: Visit) -> HttpResponse:
    if not visit.cookie:
        return response
    secure = settings.SITE_URL.startswith("https:")
    hours = 0 if visit.cookie == FORGET else previews.COOKIE_HOURS
    response.set_cookie(
        cookie_name(application), "" if visit.cookie == FORGET else visit.cookie, max_age=hours * 3600,
        path="/", secure=secure, httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


# Production: the same bytes for everyone


def _production_page(request: HttpRequest, application: Application) -> HttpResponse:
    made = maps.production_map(application)
    source = hashlib.sha256(application.page.encode()).hexdigest()
    page = _known_page(application, source, made.digest) or _make_page(application, source, made.digest)
    etag = f'"{hashlib.sha256(page.body).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(page.body, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = page.policy
        response.headers["Integrity-Policy"] = INTEGRITY
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    return response


_pages: dict[tuple[int, str, str], tuple[Page, float]] = {}
MOST_PAGES = 64


def _known_page(application: Application, source: str, digest: str) -> Page | None:
    page, until = _pages.get((application.pk, source, digest), (None, 0.0))
    return page if time.monotonic() < until else None


def _make_page(application: Application, source: str, digest: str) -> Page:
    files = maps.production_now(application)[1]
    made = maps.keep_map(application, files)
    early, complete = loaded_early(application, files, source, made.digest)
    page = render_page(application.slug, application.page, files, made.digest, made.document, early=early)
    if made.digest == digest:
        if len(_pages) >= MOST_PAGES:
            _pages.clear()
        _pages[application.pk, source, digest] = page, math.inf if complete else time.monotonic() + GRAPH_SECONDS
    return page


# What to load early is known for good once a task has read every file on the way; until then we look again.
_early: dict[tuple[int, str, str], tuple[list[str], bool, float]] = {}
GRAPH_SECONDS = 10.0


def loaded_early(application: Application, files: maps.Files, source: str, digest: str) -> tuple[list[str], bool]:
    """The paths that a page with this map loads at once, and whether that is all of them."""
    key = (application.pk, source, digest)
    paths, complete, seen = _early.get(key, ([], False, -math.inf))
    if complete or time.monotonic() - seen < GRAPH_SECONDS:
        return paths, complete
    paths, complete = loaded_at_once(application, files, entries_of(application.page))
    if len(_early) >= MOST_PAGES:
        _early.clear()
    _early[key] = paths, complete, time.monotonic()
    return paths, complete


# Previews: for this visitor, and for no cache


def _preview_page(application: Application, preview: Preview) -> HttpResponse:
    made = maps.keep_map(application, preview.files, maps.removed_paths(*preview.deltas) - preview.files.keys())
    nonce = secrets.token_urlsafe(18)
    banner = render_to_string("iep/banner.html", banner_of(application, preview, made.digest))
    early, _ = loaded_early(
        application, preview.files, hashlib.sha256(application.page.encode()).hexdigest(), made.digest
    )
    page = render_page(
        application.slug, application.page, preview.files, made.digest, made.document, nonce=nonce, banner=banner,
        early=early,
    )  # fmt: skip
    response = HttpResponse(page.body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = page.policy
    response.headers["Integrity-Policy"] = INTEGRITY
    response.headers["Cache-Control"] = PRIVATE
    response.headers["Vary"] = "Cookie"
    return response


def banner_of(application: Application, preview: Preview, digest: str) -> dict[str, object]:
    return {
        "application": application,
        "stage": preview.stage,
        "tickets": [
            (stamp.ticket, pin) for stamp, (_, pin) in zip(preview.stamps, preview.choice.tickets, strict=True)
        ],
        "waits": preview.stamps[0].sign_off,
        "changed": preview.changed,
        "conflicts": preview.conflicts,
        "map": digest,
        "leave": f"/apps/{application.slug}/?{preview.stage}=",
        "site": settings.SITE_URL if hosts.is_on() else "",
    }


def _map_of(application: Application, preview: Preview | None) -> str:
    if preview is None:
        return maps.production_map(application).document
    removed = maps.removed_paths(*preview.deltas) - preview.files.keys()
    return maps.keep_map(application, preview.files, removed).document


def _file(request: HttpRequest, application: Application, path: str) -> HttpResponse:
    visit = visit_of(request, application)
    files = visit.preview.files if visit.preview else None
    if files is not None:
        digest = files.get(path)
    else:
        digest = application.modules.filter(path=path).values_list("digest", flat=True).first()
    content = storage.read(digest) if digest else None
    media_type = type_of(path)
    if content is None or media_type is None:
        return _nothing()
    if files is None and request.headers.get("If-None-Match") == f'"{digest}"':
        response: HttpResponse = HttpResponseNotModified()
    else:
        allowed = frozenset(application.allowed_origins) if files is None else frozenset()
        headers = headers_for(allowed, request.headers.get("Origin", ""))
        response = HttpResponse(content, content_type=media_type, headers=headers)
    response.headers["ETag"] = f'"{digest}"'
    response.headers["Cache-Control"] = "no-cache" if files is None else PRIVATE
    response.headers["Vary"] = "Cookie, Origin"
    return response


def _nothing() -> HttpResponse:
    text = "There is nothing at this address.\n"
    return HttpResponse(
        text, status=404, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )
