"""The Merkle tree of RFC 6962, section 2.1: append, root, and proofs with their verification (RFC 9162, section 2.1).

Hashes are SHA-256, 32 bytes. A range `(low, high)` names the subtree over leaves low … high - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from luodi.errors import IntegrityError

EMPTY_ROOT = sha256(b"").digest()
Range = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees that a tree of `size` leaves is made of: all that appending needs.

    Args:
        packed: these roots, largest subtree first, 32 bytes each.

    Raises:
        IntegrityError: a tree of this size has another number of them.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if size < 0 or len(packed) != 32 * size.bit_count():
            raise IntegrityError(
                f"a log of {size} rows can't have a frontier of {len(packed)} bytes", "`luodi audit verify` says more"
            )
        self.size = size
        self.nodes = [packed[n : n + 32] for n in range(0, len(packed), 32)]

    def append(self, leaf: bytes) -> None:
        """One more leaf; one hash on average."""
        n, nodes = self.size, self.nodes
        while n & 1:
            leaf = sha256(b"\1" + nodes.pop() + leaf).digest()
            n >>= 1
        nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.nodes:
            return EMPTY_ROOT
        node = self.nodes[-1]
        for left in self.nodes[-2::-1]:
            node = node_hash(left, node)
        return node

    def packed(self) -> bytes:
        return b"".join(self.nodes)

    def copy(self) -> Frontier:
        return Frontier(self.size, self.packed())


def _split(leaves: int) -> int:
    """The largest power of two below `leaves`."""
    return 1 << ((leaves - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Subtrees whose roots are the inclusion proof of leaf `index` in a tree of `size`, from the leaf up."""
    low, high = 0, size
    path: list[Range] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Subtrees whose roots prove that the tree of `new` leaves begins with that of `old` leaves."""
    if old in (0, new):
        return []
    low, high = 0, new
    path: list[Range] = []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    if low:  # else it is the old root itself, which the verifier has
        path.append((low, high))
    return path[::-1]


def hashes_of(ranges: Iterable[Range], leaves: Iterable[bytes]) -> dict[Range, bytes]:
    """Roots of subtrees of one tree, in one pass over its leaves; memory grows with `ranges` only."""
    ends: dict[int, set[int]] = {}
    for low, high in ranges:
        ends.setdefault(high, set()).add(low)
    found: dict[Range, bytes] = {}
    stack: list[tuple[int, bytes]] = []
    size = 0
    for node in leaves:
        low, n, size = size, size, size + 1
        wanted = ends.get(size)
        if wanted and low in wanted:
            found[low, size] = node
        while n & 1:
            low, left = stack.pop()
            node = sha256(b"\1" + left + node).digest()
            n >>= 1
            if wanted and low in wanted:
                found[low, size] = node
        stack.append((low, node))
    if stack:  # subtrees at the right edge that are not perfect
        node = stack[-1][1]
        for low, left in stack[-2::-1]:
            node = node_hash(left, node)
            if low in ends.get(size, ()):
                found[low, size] = node
    return found


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    Raises:
        IntegrityError: the proof is not one for this index and size.
    """
    if not 0 <= index < size:
        raise IntegrityError(f"there is no leaf {index} in a tree of {size}")
    first, last, node = index, size - 1, leaf
    for other in proof:
        if not last:
            raise IntegrityError("the proof has too many hashes")
        if first & 1 or first == last:
            node = node_hash(other, node)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            node = node_hash(node, other)
        first, last = first >> 1, last >> 1
    if last:
        raise IntegrityError("the proof has too few hashes")
    return node


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `new` leaves begins with that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and old_root == (new_root if old else EMPTY_ROOT)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for node in path[1:]:
        if not last:
            return False
        if first & 1 or first == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, node)
        first, last = first >> 1, last >> 1
    return not last and before == old_root and after == new_root
