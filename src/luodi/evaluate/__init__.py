"""Suites → measurements → gates, with statistics."""

from luodi.evaluate.gates import Judged, judge, overall

__all__ = ["Judged", "judge", "overall"]
