"""Moderation: categories of GB/T 45654 and of English taxonomies, a library of words, and a classifier."""

from luodi.guard.moderation.automaton import Match, Words
from luodi.guard.moderation.categories import CATEGORIES, OPENAI, Category, openai_scores
from luodi.guard.moderation.classifier import CategoryModel
from luodi.guard.moderation.library import Library, Quota, Word, read_library, read_words

__all__ = [
    "CATEGORIES",
    "OPENAI",
    "Category",
    "CategoryModel",
    "Library",
    "Match",
    "Quota",
    "Word",
    "Words",
    "openai_scores",
    "read_library",
    "read_words",
]
