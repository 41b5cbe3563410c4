"""Stages, cache, resume, lineage; runs here or on Ray."""

from luodi.pipeline.lineage import Lineage
from luodi.pipeline.measurement import Measurement
from luodi.pipeline.progress import Listener, Silent
from luodi.pipeline.rows import Link, Row, read_lineage, read_rows, shard, write_lineage, write_rows
from luodi.pipeline.runner import Planned, Runner
from luodi.pipeline.stage import Context, Stage, read_measurements

__all__ = [
    "Context",
    "Lineage",
    "Link",
    "Listener",
    "Measurement",
    "Planned",
    "Row",
    "Runner",
    "Silent",
    "Stage",
    "read_lineage",
    "read_measurements",
    "read_rows",
    "shard",
    "write_lineage",
    "write_rows",
]
