"""Inline markup of reStructuredText resolved to plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WIDE = "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_WIDE_BREAK = re.compile(f"(?<={_WIDE})\n(?={_WIDE})")
_PREFIX = {"ticket": "#", "issue": "#", "pep": "PEP ", "rfc": "RFC ", "cve": "CVE-", "bpo": "bpo-"}

_INLINE = re.compile(  # each alternative stops at the next mark of its own kind: linear in any text
    r"``(?P<literal>.+?)``(?!`)"
    r"|(?::(?P<role>[A-Za-z][\w:.+-]{0,40}):|_)?`(?P<body>(?:[^`\\]|\\.)+)`_{0,2}"
    r"|\*\*(?=\S)(?P<strong>(?:[^*\\]|\\.|\*(?!\*))+)\*\*"
    r"|(?<![\w*])\*(?=[^\s*])(?P<em>(?:[^*\\]|\\.)*)(?<=[^\s*])\*(?![\w*])"
    r"|(?P<mark>\s?\[(?:\d+|[#*][\w-]*)\]_(?!\w))"
    r"|(?<![\w|])\|(?=\S)(?P<sub>[^|\n]*[^|\s])\|_{0,2}(?!\w)"
    r"|\\(?:\s|(?P<escape>.))"
    r"|(?<!\w)(?P<private>_\w+)"  # __init__ is not a reference
    r"|(?<=[^\W_])__?(?=[\s.,;:!?)'\"\]]|$)",
    re.DOTALL,
)
_TARGET = re.compile(r"(.*?)\s*<([^<>]+)>", re.DOTALL)


def _role(role: str, body: str, labels: Mapping[str, str]) -> str:
    name = role.rpartition(":")[2]
    body = re.sub(r"\\(?:\s|(.))", r"\1", body)
    target = _TARGET.fullmatch(body) if body.endswith(">") else None
    if target and (target[1] or not role):
        return target[1] or target[2].removesuffix("_")
    if name == "ref":
        return labels.get(body.lower(), body)
    if name == "doc":
        return body.lstrip("/")
    if role and body.startswith("~"):
        head, bracket, rest = body[1:].partition("(")
        return head.rpartition(".")[2] + bracket + rest
    if role and body.startswith(("!", ".")) and name != "file":
        return body.lstrip("!.")
    return _PREFIX.get(name, "") + body


def plain_inline(text: str, labels: Mapping[str, str]) -> str:
    """Plain text of a paragraph's source: markup resolved, line breaks joined."""

    def resolve(match: re.Match[str]) -> str:
        kind = match.lastgroup or "mark"
        if kind == "body":
            return _role(match["role"] or "", match["body"], labels)
        if kind in ("strong", "em"):
            return plain_inline(match[kind], labels)
        return "" if kind == "mark" else match[kind]

    if not text.isascii():
        text = _WIDE_BREAK.sub("", text)  # Chinese has no space between words, so none at a line break
    return " ".join(_INLINE.sub(resolve, text).split())
