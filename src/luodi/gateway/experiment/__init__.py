"""Several releases at once: A/B tests, shadows, and canaries that roll back by themselves."""

from luodi.gateway.experiment.decide import Finding, findings, look
from luodi.gateway.experiment.fleet import Fleet
from luodi.gateway.experiment.plan import STEPS, Plan, all_plans, find, start, stop
from luodi.gateway.experiment.tally import Count, add, measure, read_store

__all__ = [
    "STEPS", "Count", "Finding", "Fleet", "Plan", "add", "all_plans", "find", "findings", "look", "measure",
    "read_store", "start", "stop",
]  # fmt: skip
