"""English questions: what they ask, and words without their endings."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

_LEAD = re.compile(
    r"^\W*(?:(?:hi|hello|hey|thanks|please|kindly|ok|so|well)\b[\s,!.]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?:tell|explain(?: to)?|show|help|teach|let|give|describe(?: to)?)"
    r"(?: me| us)?(?: know)?|(?:please )?(?:tell|show|teach|explain(?: to)?) (?:me|us)|do you know|i wonder|"
    r"i(?:'d| would) like to know|i want to know|i need to know|i'm wondering|does (?:anyone|anybody|someone) know|"
    r"any idea|let me know)\b[\s,:]*",
    re.IGNORECASE,
)
_WHICH = "best |right |correct |proper |easiest |simplest |recommended |usual |standard |preferred |good "
_VERB = "do|does|did|can|could|should|would|will|must|may|might|shall|is|are|was|were|has|have|had"
_WHO = "i|you|we|one|someone|somebody"
_FRAMES = [
    ("how", rf"(?:what(?:'s| is| are| would be)|is there|are there|which is) (?:the |a |an |any |some )?(?:{_WHICH})?"
            r"(?:ways?|methods?|approach(?:es)?|steps|procedures?|process)(?: is there| are there)? (?:to|of|for)\b"),
    ("how", r"(?:steps|instructions|a guide|guide|directions) (?:to|for)\b"),
    ("how", rf"how (?:to|(?:do|can|could|should|would|must|may|might|shall) (?:{_WHO})(?: (?:go about|best))?|"
            rf"(?:{_WHO}) (?:can|could|should|would|must|might)(?: go about)?)\b"),
    ("how", rf"what (?:do|should|must|can|could) (?:{_WHO}) (?:need to |have to )?do (?:to|for|in order to)\b"),
    ("how", r"(?:i|we) (?:want|need|would like|wish|am trying|'d like|'m trying|are trying) to (?:know how to )?"),
    ("how", r"help (?:me|us)(?: to)?\b"),
    ("why", r"why(?: is it that)?\b|what(?:'s| is) the (?:reason|cause) (?:for|that|why|of)\b|how come\b"),
    ("when", r"(?:at |on |in )?(?:what|which) (?:time|date|day|year)\b|when\b"),
    ("where", r"(?:in |at )?(?:what|which) place\b|where(?:abouts)?\b"),
    ("who", r"whom?\b"), ("whose", r"whose\b"),
    ("how many", r"how many\b|what(?:'s| is) the number of\b"), ("how much", r"how much\b"),
    ("how long", r"how long\b"), ("how often", r"how often\b"), ("how far", r"how far\b"), ("how old", r"how old\b"),
    ("how big", r"how (?:big|large)\b"), ("how fast", r"how (?:fast|quickly)\b"), ("how high", r"how (?:high|tall)\b"),
    ("how", r"how\b|in (?:what|which) way\b"), ("which", r"which\b"),
    ("what", r"what(?:'s)?\b"),
]  # fmt: skip
_PATTERNS = [(asks, re.compile(rf"\b(?:{p})\s*(?:(?:{_VERB})\b)?", re.IGNORECASE)) for asks, p in _FRAMES]
_YES_NO = re.compile(
    rf"^\W*(?:(?:if|whether)\b.*|is it (?P<possible>possible|allowed|necessary|required|advisable) (?:for \w+ )?to\b|"
    rf"(?P<verb>{_VERB})(?P<not>n't| not)?\b)",
    re.IGNORECASE,
)
_MODAL = {
    "can": "can", "could": "can", "may": "can", "might": "can", "possible": "can", "allowed": "can", "should": "should",
    "advisable": "should", "shall": "should", "must": "must", "necessary": "must", "required": "must", "will": "will",
    "would": "will",
}  # fmt: skip
_PAST = re.compile(r"\b(?:did|was|were|had)\b", re.IGNORECASE)
_FUTURE = re.compile(r"\b(?:will|going to)\b", re.IGNORECASE)
_NEGATIONS = frozenset(
    ["not", "no", "never", "neither", "nor", "none", "nobody", "nothing", "nowhere", "without", "cannot", "n't"]
)
_PREPOSITIONS = frozenset(
    [
        "of",
        "in",
        "on",
        "for",
        "at",
        "with",
        "to",
        "by",
        "as",
        "about",
        "into",
        "onto",
        "upon",
        "within",
        "using",
        "via",
        "regarding",
    ]
)
_FILLING = _PREPOSITIONS | frozenset(
    [
        "a",
        "an",
        "the",
        "i",
        "we",
        "you",
        "one",
        "my",
        "our",
        "your",
        "me",
        "us",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "there",
        "here",
        "is",
        "are",
        "am",
        "be",
        "been",
        "being",
        "was",
        "were",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "can",
        "could",
        "would",
        "please",
        "kindly",
        "thanks",
        "thank",
        "hi",
        "hello",
        "hey",
        "just",
        "simply",
        "really",
        "actually",
        "basically",
        "exactly",
        "and",
        "also",
        "then",
        "so",
        "well",
        "shall",
    ]
)
_IRREGULAR = {
    "made": "make", "written": "write", "wrote": "write", "sent": "send", "built": "build", "found": "find",
    "given": "give", "gave": "give", "taken": "take", "took": "take", "kept": "keep", "left": "leave", "lost": "lose",
    "shown": "show", "chosen": "choose", "chose": "choose", "done": "do", "gone": "go", "went": "go", "got": "get",
    "gotten": "get", "known": "know", "knew": "know", "begun": "begin", "began": "begin", "ran": "run", "bought": "buy",
    "sold": "sell", "paid": "pay", "thrown": "throw", "caught": "catch", "broken": "break", "hidden": "hide",
    "children": "child", "people": "person", "men": "man", "women": "woman", "indices": "index", "indexes": "index",
    "data": "data", "has": "have", "better": "better", "uses": "use", "used": "use", "using": "use", "queries": "query",
}  # fmt: skip
_PARTICIPLES = frozenset(
    [
        "made",
        "written",
        "sent",
        "built",
        "found",
        "given",
        "taken",
        "kept",
        "left",
        "lost",
        "shown",
        "chosen",
        "done",
        "known",
        "bought",
        "sold",
        "paid",
        "hidden",
        "broken",
        "set",
        "put",
        "read",
        "run",
        "cut",
    ]
)
_PHRASES = {
    ("turn", "on"): "enable", ("switch", "on"): "enable", ("turn", "off"): "disable", ("switch", "off"): "disable",
    ("log", "in"): "login", ("sign", "in"): "login", ("log", "out"): "logout", ("sign", "out"): "logout",
    ("log", "off"): "logout", ("sign", "up"): "register", ("set", "up"): "configure", ("get", "rid"): "delete",
    ("deal", "with"): "handle", ("look", "up"): "lookup", ("back", "up"): "backup", ("more", "than"): "over",
    ("less", "than"): "under", ("fewer", "than"): "under",
}  # fmt: skip


def frame(text: str) -> tuple[str, str, str]:
    """(question word, tense, the rest) of a text; the first question word counts, the others are words like any."""
    text = re.sub(r"\b(can|won|shan)('t)\b", lambda m: {"can": "can", "won": "will", "shan": "shall"}[m[1].lower()]
                  + " not", text, flags=re.IGNORECASE)  # fmt: skip
    text = re.sub(r"n't\b", " not", text, flags=re.IGNORECASE)
    tense = "past" if _PAST.search(text) else "future" if _FUTURE.search(text) else ""
    text = _LEAD.sub("", text)
    best: tuple[int, int, str, int] | None = None
    for order, (asks, pattern) in enumerate(_PATTERNS):
        match = pattern.search(text)
        if match and (best is None or (match.start(), order) < best[:2]):
            best = (match.start(), order, asks, match.end())
    yes_no = _YES_NO.match(text)
    if yes_no is not None and (best is None or (best[0] > 0 and best[2] in ("when", "where", "which", "what", "who"))):
        modal = _MODAL.get((yes_no["possible"] or yes_no["verb"] or "").lower(), "is")
        kept = " not " if yes_no["not"] else ""
        end = yes_no.end() if yes_no["verb"] or yes_no["possible"] else len("if")
        return f"yes-no {modal}", tense, kept + text[end:]
    if best is None:
        return "", tense, text
    return best[2], tense, text[: best[0]] + " " + text[best[3] :]


def phrases(raw: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Verbs with their particle as one word, also with their object between; agentless passives as actives."""
    out = list(raw)
    i = 0
    while i < len(out):
        if out[i][0] == "word":
            verb = stem(out[i][1].lower())
            for far in (1, 2, 3, 4):
                if i + far < len(out) and out[i + far][0] == "word":
                    found = _PHRASES.get((verb, out[i + far][1].lower()))
                    if found and (far == 1 or out[i + far][1].lower() in ("on", "off", "up")):
                        out[i] = ("word", found)
                        del out[i + far]
                        break
        i += 1
    words = [text.lower() if kind == "word" else "" for kind, text in out]
    for i in range(1, len(words)):
        participle = words[i].endswith("ed") or words[i] in _PARTICIPLES
        if participle and words[i - 1] in ("be", "is", "are", "been", "being", "get") and "by" not in words[i:]:
            return [out[i], *out[: i - 1], *out[i + 1 :]]
    return out


def leads(word: str) -> bool:
    """Whether it is a preposition."""
    return word.lower() in _PREPOSITIONS


def lemma(word: str) -> str:
    """The word without its ending and as the first of its synonyms; "" for filling, "!" for a negation."""
    low = word.lower().removesuffix("'s").removesuffix("'")
    if low in _NEGATIONS:
        return "!"
    if low in _FILLING:
        return ""
    same = _synonyms()
    found = stem(low)
    return same.get(low) or same.get(found) or found


def stem(word: str) -> str:
    """A light stemmer: plurals, -ing, -ed. It would rather leave two words apart than make one of them."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s"):
        return _end(word[:-1])
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and re.search("[aeiouy]", word[: -len(ending)]):
            return _end(word[: -len(ending)])
    return _end(word)


def _end(word: str) -> str:
    """Without a doubled consonant or a silent e, so that "stopped" and "stop", "cached" and "cache" meet."""
    if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
        return word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


@cache
def _synonyms() -> dict[str, str]:
    found: dict[str, str] = {}
    with (Path(__file__).parent / "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["language"] == "en" and row["kind"] == "same":
                first, *others = row["words"].split()
                for word in (first, *others):
                    found[word] = found[stem(word)] = first
    return found
