"""RFC 6962: known answers, the examples of section 2.1.3, and every property against the definition."""

from __future__ import annotations

import contextlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import IntegrityError
from luodi.store.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_ranges,
    hashes_of,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    root_by_inclusion,
)

# The entries and roots with which Certificate Transparency's implementations test their trees.
ENTRIES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def some(count: int, seed: int = 0) -> list[bytes]:
    return [leaf_hash(f"{seed}/{n}".encode()) for n in range(count)]


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier


def proof(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    nodes = hashes_of(ranges, leaves)
    return [nodes[r] for r in ranges]


def test_known_roots() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == bytes.fromhex(sha256().hexdigest())
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        frontier.append(leaf_hash(entry))
        assert frontier.root().hex() == root


def test_the_examples_of_the_rfc() -> None:
    # The names that section 2.1.3 gives the nodes of its tree of seven leaves; `left` is its l.
    a, b, c, d, f, g, h, i, j, k, left = (
        (0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (0, 2), (2, 4), (4, 6), (6, 7), (0, 4), (4, 7),
    )  # fmt: skip
    assert inclusion_ranges(0, 7) == [b, h, left]
    assert inclusion_ranges(3, 7) == [c, g, left]
    assert inclusion_ranges(4, 7) == [f, j, k]
    assert inclusion_ranges(6, 7) == [i, k]
    assert consistency_ranges(3, 7) == [c, d, g, left]
    assert consistency_ranges(4, 7) == [left]
    assert consistency_ranges(6, 7) == [i, j, k]
    assert a not in inclusion_ranges(3, 7)


@given(st.integers(0, 130), st.integers(0, 5))
def test_the_frontier_is_the_definition(size: int, seed: int) -> None:
    leaves = some(size, seed)
    frontier = grown(leaves)
    assert frontier.root() == mth(leaves)
    again = Frontier(size, frontier.packed())
    again.append(leaf_hash(b"next"))
    assert again.root() == mth([*leaves, leaf_hash(b"next")])
    assert grown(leaves).root() == frontier.root()


@given(st.data())
def test_inclusion(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    leaves = some(size)
    path = proof(leaves, inclusion_ranges(index, size))
    assert root_by_inclusion(leaves[index], index, size, path) == mth(leaves)
    wrong = data.draw(st.sampled_from(["leaf", "index", "flip", "more", "fewer"]))
    root = mth(leaves)
    leaf, at, nodes = leaves[index], index, list(path)
    if wrong == "leaf":
        leaf = leaf_hash(b"other")
    elif wrong == "index":
        at = data.draw(st.integers(0, size).filter(lambda n: n != index))
    elif wrong == "flip" and nodes:
        nodes[data.draw(st.integers(0, len(nodes) - 1))] = leaf_hash(b"x")
    elif wrong == "more":
        nodes.append(leaf_hash(b"x"))
    elif wrong == "fewer" and nodes:
        nodes.pop()
    else:
        return
    with contextlib.suppress(IntegrityError):
        assert root_by_inclusion(leaf, at, size, nodes) != root


@given(st.data())
def test_consistency(data: st.DataObject) -> None:
    new = data.draw(st.integers(0, 130))
    old = data.draw(st.integers(0, new))
    leaves = some(new)
    path = proof(leaves, consistency_ranges(old, new))
    before, after = mth(leaves[:old]), mth(leaves)
    assert is_consistent(old, new, before, after, path)
    if old:
        edited = [*leaves[: old - 1], leaf_hash(b"edited"), *leaves[old:]]
        other = proof(edited, consistency_ranges(old, new))
        assert not is_consistent(old, new, before, mth(edited), other)
        assert not is_consistent(old, new, before, after, [*path, leaf_hash(b"x")])
        if path:
            assert not is_consistent(old, new, before, after, path[:-1])
            assert not is_consistent(old, new, before, after, [leaf_hash(b"x"), *path[1:]])
    assert not is_consistent(new + 1, new, before, after, path)


def test_many_proofs_in_one_pass() -> None:
    leaves = some(77)
    wanted = {r for n in range(77) for r in inclusion_ranges(n, 77)}
    nodes = hashes_of(wanted, iter(leaves))
    for n in range(77):
        assert root_by_inclusion(leaves[n], n, 77, [nodes[r] for r in inclusion_ranges(n, 77)]) == mth(leaves)


def test_a_frontier_that_is_none() -> None:
    with pytest.raises(IntegrityError, match="can't have a frontier of 32 bytes"):
        Frontier(3, bytes(32))
