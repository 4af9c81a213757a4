"""The page of the fake Jira: its issues, with buttons that move and comment them."""

from __future__ import annotations

from html import escape
from typing import Any

from tests.fakes import jira as fake

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#172b4d}main{max-width:820px;margin:0 auto;padding:16px}
article{background:#fff;border:1px solid #dfe1e6;border-radius:4px;padding:12px 16px;margin:12px 0}h2{font-size:17px;margin:0}
.status{background:#deebff;border-radius:3px;padding:1px 6px;font-size:12px;font-weight:700;text-transform:uppercase}
button{font:inherit;padding:4px 10px;border:1px solid #c1c7d0;border-radius:3px;background:#fff}input{font:inherit;padding:4px}
li{white-space:pre-wrap}form{display:inline-block;margin:4px 4px 0 0}
"""
SCRIPT = """
document.addEventListener("submit", async event => { event.preventDefault();
  const body = Object.fromEntries(new FormData(event.target, event.submitter));
  await fetch("/_do", {method: "POST", body: JSON.stringify(body)}); setTimeout(() => location.reload(), 1200); });
"""


def page(jira: fake.Jira) -> str:
    """Every issue, newest first."""
    issues = "".join(_issue(each) for each in reversed(jira.issues.values())) or "<p>No issues yet.</p>"
    return (
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Jira, played</title>"
        f"<style>{STYLE}</style><main><h1>SHOP</h1><form><input name=text placeholder='Summary' aria-label=Summary>"
        f"<button name=do value=create>Create issue</button></form>{issues}</main><script>{SCRIPT}</script>"
    )


def _issue(issue: dict[str, Any]) -> str:
    key, status = escape(issue["key"]), issue["fields"]["status"]["name"]
    hidden = f"<input type=hidden name=key value={key}>"
    moves = "".join(
        f"<form>{hidden}<input type=hidden name=to value='{escape(to)}'><button name=do value=move>{escape(name)}</button></form>"
        for name, to in fake.WORKFLOW[status].items()
    )
    links = "".join(
        f"<li><a href='{escape(each['url'])}'>{escape(each['title'])}</a></li>" for each in issue["links"].values()
    )
    said = "".join(
        f"<li><b>{escape(each['author']['displayName'])}</b> {escape(_words(each['body']).strip())}</li>"
        for each in issue["comments"]
    )
    return (
        f"<article id={key}><h2>{key} {escape(issue['fields']['summary'])} <span class=status>{escape(status)}</span></h2>"
        f"<ul>{links}</ul><ul>{said}</ul>{moves}"
        f"<form>{hidden}<input name=text aria-label=Comment><button name=do value=say>Comment</button></form>"
        f"<form>{hidden}<button name=do value=delete>Delete</button></form></article>"
    )


def _words(value: Any) -> str:
    """The words of a text or document."""
    if isinstance(value, dict):
        end = "\n" if value.get("type") in {"paragraph", "hardBreak"} else ""
        return str(value.get("text", "")) + "".join(_words(each) for each in value.get("content", [])) + end
    return str(value)
