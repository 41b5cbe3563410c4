"""Documents → index → evidence → checked, cited answers."""

from luodi.knowledge.answer import (
    Citation,
    Grounded,
    Grounder,
    abstain,
    extract,
    ground,
    language_of,
    says_unknown,
    sourced,
    sufficient,
)
from luodi.knowledge.index import INDEX, Hit, Index
from luodi.knowledge.prompt import ABSTAIN, DEFAULT_PROMPT, build_messages

__all__ = [
    "ABSTAIN",
    "DEFAULT_PROMPT",
    "INDEX",
    "Citation",
    "Grounded",
    "Grounder",
    "Hit",
    "Index",
    "abstain",
    "build_messages",
    "extract",
    "ground",
    "language_of",
    "says_unknown",
    "sourced",
    "sufficient",
]
