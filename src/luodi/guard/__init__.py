"""Guard: personal data, attacks and leaks, in English and Chinese, in milliseconds and on streams."""

from luodi.guard.attacks import AttackModel
from luodi.guard.guard import Guard, GuardResult, OutputWatch, Verdict
from luodi.guard.item import PersonalItem
from luodi.guard.leak import Leak, LeakCheck
from luodi.guard.normalise import decodings, normalise
from luodi.guard.personal import KINDS, candidates, find_personal, mask, resolve
from luodi.guard.policy import CheckPolicy, GuardPolicy, default_policy
from luodi.guard.rules import RULES, Rule, RuleHit, match_rules
from luodi.guard.samples import planted, synthesize
from luodi.guard.stream import HoldBack

__all__ = [
    "KINDS",
    "RULES",
    "AttackModel",
    "CheckPolicy",
    "Guard",
    "GuardPolicy",
    "GuardResult",
    "HoldBack",
    "Leak",
    "LeakCheck",
    "OutputWatch",
    "PersonalItem",
    "Rule",
    "RuleHit",
    "Verdict",
    "candidates",
    "decodings",
    "default_policy",
    "find_personal",
    "mask",
    "match_rules",
    "normalise",
    "planted",
    "resolve",
    "synthesize",
]
