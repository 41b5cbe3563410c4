"""Business rules as data: amounts, confirmations, forbidden advice, opening hours, disclaimers (`rules.yaml`)."""

from luodi.guard.business.rules import LiveRules, Rules, read_rules
from luodi.guard.business.spec import RulesFile, RuleSpec
from luodi.guard.business.trying import Tried, try_rules

__all__ = ["LiveRules", "RuleSpec", "Rules", "RulesFile", "Tried", "read_rules", "try_rules"]
