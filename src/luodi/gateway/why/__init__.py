"""Why an answer is what it is, in one JSON value: what was recorded, the passages, and the training rows nearest to it.

confidence   one number out of the recorded checks, in words that a person can check
passages     the cited passages as they stand in the signed release
training     the rows that the release's model was trained on, found by its lineage
"""

from luodi.gateway.why.confidence import Confidence, of_outcome, of_record
from luodi.gateway.why.explain import explain

__all__ = ["Confidence", "explain", "of_outcome", "of_record"]
