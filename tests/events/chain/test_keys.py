"""One key for one thing, however it is spelled."""

from __future__ import annotations

import pytest

from events.chain import keys

SHA = "ab" * 20
PULL = "https://github.com/acme/shop/pull/7"


@pytest.mark.parametrize("name", ["payment-api", " Payment-API "])
@pytest.mark.parametrize("version", ["2.1.0", "v2.1.0", " v2.1.0 "])
def test_versions_of_a_service(name, version):
    assert keys.artifact_key(name, version) == "payment-api@2.1.0"


@pytest.mark.parametrize(
    "text",
    ["PAY-1", "pay-1", " PAY-1 ", "https://jira.example.com/browse/PAY-1", "https://x.example/PAY-1/comments?a=ABC-9"],
)
def test_tickets(text):
    assert keys.ticket_key(text) == "PAY-1"


@pytest.mark.parametrize(
    ("text", "source"),
    [(PULL, ""), (f"{PULL}/files", ""), (f"{PULL}/", ""), (PULL.replace("github", "GitHub"), ""),
     ("7", "https://github.com/acme/shop"), ("#7", "https://github.com/acme/shop.git"), ("7", "https://github.com/acme/shop/")],
)  # fmt: skip
def test_changes(text, source):
    assert keys.change_key(text, source) == PULL


def test_a_merge_request_of_gitlab():
    assert keys.change_key("!7", "https://gitlab.com/acme/shop") == "https://gitlab.com/acme/shop/-/merge_requests/7"


def test_a_long_key_stays_different_from_its_like():
    long = "x" * 600
    assert len(keys.bounded(long)) <= keys.LONGEST
    assert keys.bounded(long) != keys.bounded(long + "y")
    assert keys.bounded("x" * keys.LONGEST) == "x" * keys.LONGEST


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:github/acme/shop@v1", ("shop", "v1")),
        ("pkg:npm/%40a/b@1?x=y#z", ("b", "1")),
        ("pkg:oci/shop", ("shop", "")),
        ("shop", ("", "")),
    ],
)
def test_package_addresses(purl, expected):
    assert keys.split_purl(purl) == expected


@pytest.mark.parametrize(
    ("title", "version"),
    [
        ("Deploy ledger v1.8.2 to production", "1.8.2"),
        ("1.0 and 1.0", "1.0"),
        ("from 1.0 to 1.1", ""),
        ("no version", ""),
    ],
)
def test_versions_in_titles(title, version):
    assert keys.version_in(title) == version


def test_a_commit_in_an_address():
    assert keys.commit_in(f"https://github.com/acme/shop/commit/{SHA.upper()}#diff") == SHA
    assert keys.commit_in("https://github.com/acme/shop/commit/abc") == ""
