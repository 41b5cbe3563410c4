"""Compliance packs: controls of laws and standards, bound to evidence of a release.

packs.py      the controls, as data            evidence.py   what one binding finds in a release
facts.py      what is checked on the spot      assess.py     a status for every control
drafts.py     documents with measured parts    report.py     HTML, PDF, JSON
"""

from __future__ import annotations

from luodi.release.compliance.assess import Assessed, Assessment, assess
from luodi.release.compliance.evidence import Case, Found
from luodi.release.compliance.packs import Control, Pack, find_packs, read_pack

__all__ = ["Assessed", "Assessment", "Case", "Control", "Found", "Pack", "assess", "find_packs", "read_pack"]
