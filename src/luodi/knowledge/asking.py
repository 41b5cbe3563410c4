"""What a question asks about: what only frames it ("could you please explain", "请问") is taken off."""

from __future__ import annotations

import re

_FRAME = re.compile(
    r"\A\W*(?:(?:hi|hello|hey|please|kindly|thanks|so|ok|okay|well)\b\W*"
    r"|(?:can|could|would|will) you (?:please |kindly )?(?=(?:explain|tell|describe|help|show|give)\b)"
    r"|i(?:'d| would) like to (?:know|understand|learn)(?: more)?(?: about)?\b\W*"
    r"|i (?:want|need) to (?:know|understand|learn)(?: more)?(?: about)?\b\W*"
    r"|(?:explain|describe|elaborate)(?: to (?:me|us))?(?: more)?(?: on| about)?\s+(?=\w)"
    r"|(?:tell|show|teach) (?:me|us)(?: more)?(?: about)?\b\W*"
    r"|(?:give|provide) (?:me|us) (?:some |more )?(?:information|details|info)(?: on| about)?\b\W*"
    r"|help (?:me|us)(?: out)?(?: with| understand| to understand)?\b\W*"
    r"|what (?:should|do|must) (?:i|we) (?:need to )?know about\b\W*"
    r"|what (?:does|do) the (?:documentation|documents|docs|manual|handbook) say (?:about|on)\b\W*"
    r"|according to the (?:documentation|documents|docs|manual|handbook)\b\W*"
    r"|do you (?:happen to )?know\b\W*|is it possible to tell (?:me|us)\b\W*"
    r"|(?:你好|您好|请问一下|请问|请教|麻烦|劳驾|请你?|能否|可否|可以|能不能)?(?:给我|帮我|向我|为我)?"
    r"(?:解释一下|解释|讲解一下|介绍一下|介绍|说明一下|告诉我|讲讲|说说|描述一下)[,，:：\s]*"
    r"|(?:你好|您好|请问一下|请问|请教|麻烦问一下|想问一下|我想知道|我想了解)[,，:：!！\s]*)",
    re.I,
)
_LONGEST = 400  # characters at the beginning that are looked at


def asked(question: str) -> str:
    """`question` without what only frames it; as it is if nothing else would be left."""
    text = question.strip()
    for _ in range(4):  # "Hi, could you please tell me …" is three
        found = _FRAME.match(text[:_LONGEST])
        rest = text[found.end() :] if found else text
        if not found or not found.end() or not re.search(r"\w", rest):
            break
        text = rest
    return text
