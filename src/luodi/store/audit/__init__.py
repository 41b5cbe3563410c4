"""The audit log: a Merkle tree in the database, signed checkpoints, witnesses outside, sealed content beside it.

append, LogRow, new_id      rows, in the transaction of what they tell of
Sealer, put                 content, encrypted beside its row and bound to it by a commitment
Checkpointer                signs the log's head in the background and puts it outside
verify, prove, check        what an auditor does; no server is needed
erase, retain, retire       what law and policy ask for; the log still verifies

The tree is that of RFC 6962, the JSON that of RFC 8785, checkpoints are C2SP signed notes.
"""

from __future__ import annotations

from luodi.store.audit.checkpoint import Checkpointer, anchor_newest, make_checkpoint
from luodi.store.audit.content import erase, open_payload, retain, retire
from luodi.store.audit.log import LogRow, append, new_id
from luodi.store.audit.payload import PayloadKeys, PayloadRow, Sealer, put, seal
from luodi.store.audit.prove import check, export, prove
from luodi.store.audit.report import Problem, Report
from luodi.store.audit.verify import verify

__all__ = [
    "Checkpointer",
    "LogRow",
    "PayloadKeys",
    "PayloadRow",
    "Problem",
    "Report",
    "Sealer",
    "anchor_newest",
    "append",
    "check",
    "erase",
    "export",
    "make_checkpoint",
    "new_id",
    "open_payload",
    "prove",
    "put",
    "retain",
    "retire",
    "seal",
    "verify",
]
