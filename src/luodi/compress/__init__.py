"""Merge, quantise, export."""

from luodi.compress.stage import Params, run

__all__ = ["Params", "run"]
