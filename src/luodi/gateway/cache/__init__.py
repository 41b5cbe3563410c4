"""Answers given again: who may share them, where they are kept, and when two questions are the same.

Exact: the same question, asked in the same way of the same release by somebody of the same team. Semantic: a question
that means the same, by an embedder, and that nothing tells apart (`differs`). Kept in this process, and behind it in
the database or in Redis, so that other workers and the next start have them.
"""

from luodi.gateway.cache.answers import Answers, open_answers
from luodi.gateway.cache.entry import CacheStore, Entry, News, Vector
from luodi.gateway.cache.erase import erase
from luodi.gateway.cache.identity import Identity, Marks, identify
from luodi.gateway.cache.kept import decode, encode, whole
from luodi.gateway.cache.same import Facts, differs, facts

__all__ = [
    "Answers",
    "CacheStore",
    "Entry",
    "Facts",
    "Identity",
    "Marks",
    "News",
    "Vector",
    "decode",
    "differs",
    "encode",
    "erase",
    "facts",
    "identify",
    "open_answers",
    "whole",
]
