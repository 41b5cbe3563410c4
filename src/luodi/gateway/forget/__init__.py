"""A person's data: find it, hand it out, erase it, and prove that it was erased.

find      where it is: content of records, the vault, kept answers, rows and passages, documents, releases, backups
export    what is kept, as JSON
forget    erase it, keep `luodi run` from using it again, flag releases, write a signed certificate
check     a certificate: signature, log, and that nothing but what it says remains
"""

from luodi.gateway.forget.certificate import person_of, read
from luodi.gateway.forget.erase import Checked, Forgotten, again, check, forget
from luodi.gateway.forget.export import export
from luodi.gateway.forget.find import Document, Found, find
from luodi.gateway.forget.person import Person, masked

__all__ = [
    "Checked",
    "Document",
    "Forgotten",
    "Found",
    "Person",
    "again",
    "check",
    "export",
    "find",
    "forget",
    "masked",
    "person_of",
    "read",
]
