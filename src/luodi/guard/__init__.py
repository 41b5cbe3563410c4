"""Guard: personal data, attacks and leaks, in English and Chinese, in milliseconds and on streams."""

from luodi.guard.attacks import AttackModel
from luodi.guard.check import About, Check, Finding, Hit, NotRun, Text, Watch
from luodi.guard.guard import Guard, OutputWatch
from luodi.guard.item import PersonalItem
from luodi.guard.leak import Leak, LeakCheck
from luodi.guard.normalise import decodings, normalise
from luodi.guard.personal import KINDS, candidates, find_personal, mask, resolve
from luodi.guard.policy import CategoryPolicy, CheckPolicy, GuardPolicy, default_policy
from luodi.guard.rules import RULES, Rule, RuleHit, match_rules
from luodi.guard.samples import planted, synthesize
from luodi.guard.stream import HoldBack
from luodi.guard.verdict import DISPOSITIONS, EDITS, STOPS, Disposition, GuardResult, Verdict

__all__ = [
    "DISPOSITIONS",
    "EDITS",
    "KINDS",
    "RULES",
    "STOPS",
    "About",
    "AttackModel",
    "CategoryPolicy",
    "Check",
    "CheckPolicy",
    "Disposition",
    "Finding",
    "Guard",
    "GuardPolicy",
    "GuardResult",
    "Hit",
    "HoldBack",
    "Leak",
    "LeakCheck",
    "NotRun",
    "OutputWatch",
    "PersonalItem",
    "Rule",
    "RuleHit",
    "Text",
    "Verdict",
    "Watch",
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
