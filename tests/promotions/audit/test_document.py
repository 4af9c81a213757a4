"""Files in the documented format, byte for byte the same, and exactly what was written when read back."""

from __future__ import annotations

import json
import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.audit.document import MAX_BYTES, BadDocument, from_yaml, to_yaml

# The example of the documentation, as a document.
EXAMPLE = {
    "apiVersion": "gostoa.dev/v1",
    "kind": "PromotionRequest",
    "metadata": {
        "id": "PR-2024-0003",
        "createdAt": "2024-12-23T10:30:00Z",
        "createdBy": "pierre.durand@cab-i.com",
        "tenant": "tenant-finance",
    },
    "spec": {
        "target": {
            "type": "api",
            "name": "payment-api",
            "version": "2.1.0",
            "sourceEnvironment": "staging",
            "targetEnvironment": "prod",
        },
        "request": {
            "justification": "New PCI-DSS compliant payment flow",
            "releaseNotes": "- Added 3DS2 authentication\n- Fixed timeout issues\n- Performance improvements\n",
            "impactAssessment": "low",
            "rollbackPlan": "Revert to v2.0.0 via emergency deploy",
            "scheduledDate": None,
        },
        "preChecks": {
            "stagingTestsPassed": True,
            "securityScanPassed": True,
            "performanceTestsPassed": True,
            "testEvidenceUrl": "https://gitlab.cab-i.com/pipeline/12345",
        },
    },
    "status": {
        "state": "deployed",
        "history": [
            {"action": "created", "at": "2024-12-23T10:30:00Z", "by": "pierre.durand@cab-i.com"},
            {
                "action": "approved",
                "at": "2024-12-23T14:15:00Z",
                "by": "jean.dupont@cab-i.com",
                "comment": "Approved after review",
            },
            {
                "action": "deployed",
                "at": "2024-12-23T14:20:00Z",
                "by": "system",
                "jobId": "awx-job-5678",
                "deploymentId": "deploy-abc123",
            },
        ],
        "approvedBy": "jean.dupont@cab-i.com",
        "approvedAt": "2024-12-23T14:15:00Z",
        "deployedAt": "2024-12-23T14:20:00Z",
        "rejectedBy": None,
        "rejectedAt": None,
        "rejectionReason": None,
    },
}

FILE = """\
apiVersion: gostoa.dev/v1
kind: PromotionRequest
metadata:
  id: PR-2024-0003
  createdAt: "2024-12-23T10:30:00Z"
  createdBy: pierre.durand@cab-i.com
  tenant: tenant-finance
spec:
  target:
    type: api
    name: payment-api
    version: "2.1.0"
    sourceEnvironment: staging
    targetEnvironment: prod
  request:
    justification: "New PCI-DSS compliant payment flow"
    releaseNotes: |
      - Added 3DS2 authentication
      - Fixed timeout issues
      - Performance improvements
    impactAssessment: low
    rollbackPlan: "Revert to v2.0.0 via emergency deploy"
    scheduledDate: null
  preChecks:
    stagingTestsPassed: true
    securityScanPassed: true
    performanceTestsPassed: true
    testEvidenceUrl: "https://gitlab.cab-i.com/pipeline/12345"
status:
  state: deployed
  history:
    - action: created
      at: "2024-12-23T10:30:00Z"
      by: pierre.durand@cab-i.com
    - action: approved
      at: "2024-12-23T14:15:00Z"
      by: jean.dupont@cab-i.com
      comment: "Approved after review"
    - action: deployed
      at: "2024-12-23T14:20:00Z"
      by: system
      jobId: "awx-job-5678"
      deploymentId: "deploy-abc123"
  approvedBy: jean.dupont@cab-i.com
  approvedAt: "2024-12-23T14:15:00Z"
  deployedAt: "2024-12-23T14:20:00Z"
  rejectedBy: null
  rejectedAt: null
  rejectionReason: null
"""


def with_text(text: str, key: str = "justification") -> dict:
    return {
        "spec": {"request": {key: text, "releaseNotes": text}},
        "status": {"history": [{"by": text, "comment": text}]},
    }


def shuffled(value):
    """The same value with the keys in another order, as a database column gives it back."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_the_documented_example_byte_for_byte():
    assert to_yaml(shuffled(EXAMPLE)).decode() == FILE
    assert from_yaml(FILE.encode()) == EXAMPLE


HARD = [
    "no", "NO", "y", "on", "null", "~", "", " ", "1.0", "010", "0o17", "1e3", "1:30", "0x1F", ".5", ".nan", "=", "<<",
    "2024-12-23", "2024-12-23T10:30:00Z", "- item", "key: value", "# no comment", "a #b", "'", '"', "\\", "\\n", "%x", "@x",
    "`x`", "!tag", "&anchor", "*alias", "|", ">", "{", "[x]", "---", "...", "--- a\n... b\n", "\t", "\ttab\n", "a\tb\n\tc\n",
    "line\n", "line\n\n", "\n", "\nline\n", "two\nlines", " indented\nline\n", "a\n\n  b\n\nc\n", "a\n \nb\n", "a \nb\n",
    "crlf\r\nline\r\n", "\r", "nel\x85nel\nx", "ls\u2028ps\u2029\nx", "\ufeffbom", "bom\ufeff\nx", "😀 emoji\n😀", "é à ü",
    "\x7f\x9f", "\x01", "trailing \n", "a: b\nc: d\n", "long " * 500, "long line " * 100 + "\nand another\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_come_back_as_they_were(text):
    document = with_text(text)
    data = to_yaml(document)
    assert from_yaml(data) == document
    assert yaml.safe_load(data) == document  # also for a reader of YAML 1.1


TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(HARD)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100) | st.sampled_from(
    [t for t in HARD if len(t) <= 100]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS | st.sampled_from(["metadata", "status", "history", "name", "by"]), VALUES, max_size=5))
def test_whatever_is_written_is_read_back(document):
    assert from_yaml(to_yaml(document) if document else b"{}") == document


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6).map("\n".join))
def test_whatever_people_write_is_read_back_by_two_readers(text):
    document = with_text(text)
    data = to_yaml(document)
    assert b"\r" not in data
    assert from_yaml(data) == document
    assert yaml.safe_load(data) == document


def test_one_step_changes_only_its_lines():
    after = json.loads(json.dumps(EXAMPLE))
    after["status"]["history"].append({"action": "rolled_back", "at": "2024-12-24T10:00:00Z", "by": "system"})
    before, now = FILE.splitlines(), to_yaml(after).decode().splitlines()
    assert [line for line in now if line not in before] == [
        "    - action: rolled_back", '      at: "2024-12-24T10:00:00Z"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x\n", "Anchors"),
        ("a: &x 1\n", "Anchors"),
        ("a: !!python/object:os.system x\n", "Tags"),
        ("a: !!str 1\n", "Tags"),
        ("a: " + "[" * 21 + "]" * 21, "levels"),
        ("a: " + "[" * 20_000, "levels"),
        ("- a\n", "no mapping"),
        ("a: b: c\n", "not the YAML"),
        ("a: 1\na: 2\n", "not the YAML"),
        ("a: 1\n---\nb: 2\n", "not the YAML"),
        ("", "no mapping"),
    ],
)
def test_what_is_no_document_is_refused(text, reason):
    with pytest.raises(BadDocument, match=reason):
        from_yaml(text.encode())


def test_a_key_that_no_reader_would_take_is_refused():
    with pytest.raises(BadDocument, match="too long"):
        to_yaml({"k" * 101: 1})


def test_what_is_too_large_or_no_text_is_refused():
    with pytest.raises(BadDocument, match="bytes"):
        from_yaml(b"a: " + b"x" * MAX_BYTES)
    with pytest.raises(BadDocument):
        from_yaml(b"a: \xff\n")
