from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from luodi.data.originals import Params, blacken, blacken_shard
from luodi.guard import find_personal
from luodi.pipeline import Row


def test_personal_data_is_blacked_out_in_its_place() -> None:
    text = "Write to anna.meyer@gardenmail.de by Friday."
    shown, count = blacken(text)
    assert shown == "Write to ████████████████████████ by Friday." and count == 1
    assert len(shown) == len(text)


@given(
    st.lists(st.sampled_from(["a@b.example", "13800138000", "plain", "\n", "。", "11010519491231002X"]), max_size=20)
)
def test_everything_else_stays_where_it_is(parts: list[str]) -> None:
    text = " ".join(parts)
    shown, _ = blacken(text)
    assert len(shown) == len(text)
    assert all(a in (b, "█") for a, b in zip(shown, text, strict=True))
    assert not any("█" not in item.text for item in find_personal(shown))


def test_rows_keep_what_citations_need() -> None:
    row = Row("id", "document", "x", "s", "p", meta={"digest": "d", "date": "2026-01-02", "marks": [], "gold": True})
    rows, links = blacken_shard([row], Params())
    assert rows[0].meta == {"digest": "d", "date": "2026-01-02"}
    assert links[0].in_ids == ("id",)
