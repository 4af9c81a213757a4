"""The page of the fake Slack: messages as Slack shows them, with buttons that work."""

from __future__ import annotations

import html
import re
import urllib.parse
from typing import Any

from tests.fakes import slack as fake

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:#f8f8f8;color:#1d1c1d}main{max-width:760px;margin:0 auto;padding:16px}
article{background:#fff;border:1px solid #ddd;border-radius:8px;padding:12px 16px;margin:12px 0}h2{font-size:18px;margin:4px 0}
.fields{display:grid;grid-template-columns:1fr 1fr;gap:8px}.context{color:#616061;font-size:13px}form{display:inline}
button,a.b{font:inherit;font-weight:600;padding:6px 12px;border:1px solid #bbb;border-radius:4px;background:#fff;color:inherit;text-decoration:none}
.primary{background:#007a5a;color:#fff;border-color:#007a5a}.danger{background:#e01e5a;color:#fff;border-color:#e01e5a}
input,select,textarea{font:inherit;padding:6px}textarea{width:100%;box-sizing:border-box}.whisper{border-left:4px solid #1264a3}
"""


def page(slack: fake.Slack, path: str) -> str:
    """The whole page as the chosen person sees it."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
    user = query.get("user", "U0JEAN")
    seen = [each for each in slack.messages.values() if each["channel"] in {*fake.CHANNELS, f"D{user[1:]}"}]
    messages = [_message(each, user) for each in sorted(seen, key=lambda each: each["ts"])]
    views = [_view(view) for view in slack.views.values() if view["user"] == user]
    whispers = [
        f"<article class=whisper><small>Only visible to you</small><p>{_markup(each['text'])}</p></article>"
        for each in slack.whispers[-5:] if each["user"] == user
    ]  # fmt: skip
    people = "".join(
        f"<option value={key}{' selected' if key == user else ''}>{html.escape(name)}</option>"
        for key, name in fake.PEOPLE.items()
    )
    return (
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Slack, played</title>"
        f"<style>{STYLE}</style><main><h1>#releases</h1>"
        f"<form><label>You are <select name=user>{people}</select></label> <button>Look</button></form>"
        f"{''.join(messages) or '<p>No messages yet.</p>'}{''.join(views)}{''.join(whispers)}"
        f"<form method=post action=/_do/command><input type=hidden name=user value={html.escape(user)}>"
        "<label>/stagepass <input name=text placeholder=approvals></label> <button>Send</button></form></main>"
    )


def _markup(text: str) -> str:
    text = html.escape(html.unescape(text))
    text = re.sub(r"&lt;(https?://[^|&]+)\|([^&]+)&gt;", r"<a href='\1'>\2</a>", text)
    return re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text).replace("\n", "<br>")


def _message(message: dict[str, Any], user: str) -> str:
    inside = "".join(_block(block, message, user) for block in message.get("blocks", [])) or _markup(message["text"])
    edited = f" <small>(edited {message['updates']} times)</small>" if message["updates"] else ""
    alone = " <small>to you alone</small>" if message["channel"].startswith("D") else ""
    return f"<article data-ts={message['ts']}><b>Stagepass</b>{alone}{edited}{inside}</article>"


def _block(block: dict[str, Any], message: dict[str, Any], user: str) -> str:
    kind = block["type"]
    if kind == "header":
        return f"<h2>{html.escape(block['text']['text'])}</h2>"
    if kind == "section":
        text = f"<p>{_markup(block['text']['text'])}</p>" if "text" in block else ""
        fields = "".join(f"<div>{_markup(each['text'])}</div>" for each in block.get("fields", []))
        return text + (f"<div class=fields>{fields}</div>" if fields else "")
    if kind == "context":
        return f"<p class=context>{' '.join(_markup(each['text']) for each in block['elements'])}</p>"
    return "<p>" + " ".join(_button(each, message, user) for each in block["elements"]) + "</p>"


def _button(button: dict[str, Any], message: dict[str, Any], user: str) -> str:
    label, style = html.escape(button["text"]["text"]), button.get("style", "")
    if "url" in button:
        return f"<a class=b href='{html.escape(button['url'])}'>{label}</a>"
    asks = html.escape(button.get("confirm", {}).get("text", {}).get("text", ""))
    confirm = f" onclick=\"return confirm('{asks}')\"" if asks else ""
    return (
        f"<form method=post action=/_do/click><input type=hidden name=ts value={message['ts']}>"
        f"<input type=hidden name=user value={html.escape(user)}><input type=hidden name=action value={button['action_id']}>"
        f"<button class='{style}'{confirm}>{label}</button></form>"
    )


def _view(view: dict[str, Any]) -> str:
    element = view["blocks"][0]["element"]
    return (
        f"<article class=whisper><h2>{html.escape(view['title']['text'])}</h2><form method=post action=/_do/submit>"
        f"<input type=hidden name=user value={view['user']}><input type=hidden name=view value={view['id']}>"
        f"<label>{html.escape(view['blocks'][0]['label']['text'])}<textarea name={element['action_id']} required "
        f"minlength={element.get('min_length', 0)}></textarea></label><p><button class=danger>"
        f"{html.escape(view['submit']['text'])}</button></p></form></article>"
    )
