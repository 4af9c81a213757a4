"""One key for each thing, however a source spells it: this is what joins what different sources say."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

LONGEST = 500
TICKET_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[1-9][0-9]{0,255}")
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CHANGE_PATH = re.compile(r"(/.+?/(?:pull|pulls|pull-requests|merge_requests|changes)/\d+)(?:/.*)?$")
_COMMIT_PATH = re.compile(r"/commits?/([0-9a-f]{40}(?:[0-9a-f]{24})?)(?:/.*)?$")
_VERSION = re.compile(r"(?<![\w.])v?(\d+\.\d+(?:\.\d+)*(?:[-+][0-9A-Za-z][\w.+-]*)?)(?![\w.])")


def bounded(key: str) -> str:
    """The key itself, or its beginning and its digest when it is too long."""
    key = key.strip().replace("\x00", "")
    return key if len(key) <= LONGEST else f"{key[:430]}#{hashlib.sha256(key.encode()).hexdigest()}"


def ticket_key(text: str) -> str:
    """Of a key, an address that ends in one, or a domainId; empty when there is none to be seen."""
    text = unquote(text.strip())
    if text.startswith("cdevents:v0:"):
        text = text.rpartition(":")[2]
    elif "://" in text:
        path = urlsplit(text).path.upper()
        found = [part for part in path.split("/") if TICKET_KEY.fullmatch(part)]
        return bounded(found[-1]) if found else bounded(text)
    return bounded(text.upper())


def change_key(text: str, source: str = "") -> str:
    """A pull or merge request: its address, whether it came as one or as a number and its repository."""
    if "://" not in text and "://" in source:
        host = urlsplit(source).netloc.lower()
        way = "/-/merge_requests/" if "gitlab" in host else "/pull/"
        text = source.rstrip("/").removesuffix(".git") + way + text.lstrip("#!")
    if "://" not in text:
        return bounded(f"{source}#{text}" if source else text)
    parts = urlsplit(text)
    path = parts.path.rstrip("/")
    if match := _CHANGE_PATH.match(path):
        path = match[1]
    return bounded(f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}")


def commit_in(url: str) -> str:
    """The commit that an address shows; empty when it shows none."""
    match = _COMMIT_PATH.search(urlsplit(url).path.lower())
    return match[1] if match else ""


def is_change_address(url: str) -> bool:
    return bool(_CHANGE_PATH.match(urlsplit(url).path))


def commit_key(text: str) -> str:
    return bounded(text.lower())


def scoped(source: str, key: str) -> str:
    """Something that is only unique where it comes from."""
    return bounded(f"{source}#{key}" if source else key)


def artifact_key(name: str, version: str) -> str:
    """A version of a service, as requests and people name it."""
    return bounded(f"{name.strip().lower()}@{version.strip().removeprefix('v')}")


def split_purl(purl: str) -> tuple[str, str]:
    """Name and version of a package URL, without namespace and qualifiers; empty for anything else."""
    if not purl.startswith("pkg:"):
        return "", ""
    path, _, version = purl.partition("?")[0].partition("#")[0].partition("@")
    return unquote(path.rstrip("/").rpartition("/")[2]), unquote(version)


def version_in(title: str) -> str:
    """The version that a title such as "Deploy ledger v1.8.2 to production" names; empty when there is none or several."""
    found = set(_VERSION.findall(title))
    return str(found.pop()) if len(found) == 1 else ""
