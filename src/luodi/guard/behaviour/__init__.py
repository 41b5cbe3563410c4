"""How a key behaves over time, and whether that looks like copying a release out question by question."""

from luodi.guard.behaviour.policy import BehaviourPolicy, Response, Signal
from luodi.guard.behaviour.profile import Seen
from luodi.guard.behaviour.users import EndUsers
from luodi.guard.behaviour.watch import BehaviourWatch, Decision, Reason

__all__ = ["BehaviourPolicy", "BehaviourWatch", "Decision", "EndUsers", "Reason", "Response", "Seen", "Signal"]
