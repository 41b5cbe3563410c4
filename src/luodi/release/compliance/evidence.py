"""What a binding finds in a release: met or not, with the figure that says so and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from luodi.release.compliance.packs import Binding
from luodi.release.report import Words, number, words
from luodi.store import Store, digest_bytes
from luodi.store.digest import sha256_file

State = Literal["met", "not_met", "unsure", "missing", "design"]


@dataclass(frozen=True, slots=True)
class Found:
    """What one binding found.

    Attributes:
        anchor: its place in the report's list of evidence.
        state: unsure: the value meets the bound and its interval does not, or there are too few items; missing: it is
            not there; design: what every release has, which says nothing of this one.
        title: what it is.
        text: what was found.
        detail: name and value, for the list of evidence.
    """

    anchor: str
    kind: str
    state: State
    title: Words
    text: Words
    detail: tuple[tuple[str, str], ...] = ()

    @property
    def automatic(self) -> bool:
        """Whether it was found in this release, and not only promised."""
        return self.state in ("met", "not_met", "unsure")


@dataclass(slots=True)
class Case:
    """What a release is judged by.

    Attributes:
        folder: of the bundle, verified.
        signer: whose signature it has.
        store: where its log is; None leaves out what only a store can show.
        project: where its banks and what people filled in are.
        drafts: texts of the documents that were drafted, with how many of their places are filled.
    """

    passport: dict[str, Any]
    folder: Path
    signer: str
    parts: int
    store: Store | None = None
    project: Path | None = None
    drafts: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    _facts: dict[str, Found] = field(default_factory=dict)

    @property
    def measurements(self) -> dict[str, dict[str, Any]]:
        return {m["name"]: m for found in self.passport["promises"].values() for m in found}


def look(binding: Binding, case: Case) -> Found:
    """What a binding finds."""
    return _LOOK[binding.kind](binding, case)


def _measure(binding: Binding, case: Case) -> Found:
    name = binding.measure
    m = case.measurements.get(name)
    anchor, title = f"measure-{name}", words(name)
    if m is None:
        return Found(anchor, "measure", "missing", title, Words("not measured", "未测量"))
    value = float(m["value"])
    low, high = (value if m.get(end) is None else float(m[end]) for end in ("low", "high"))
    share = " %" if m["unit"] == "share" else f" {m['unit']}"
    shown = f"{number(value, m['unit'])}{share}"
    if m.get("low") is not None and m.get("high") is not None:
        shown += f" [{number(low, m['unit'])}, {number(high, m['unit'])}]"
    if binding.gated:
        return _gated(m, anchor, title, shown)
    bound = _bound(binding, m["unit"])
    text = Words(f"{shown}, n {m['n']:,}{bound.en}", f"{shown}，n {m['n']:,}{bound.zh}")
    state: State = "met"
    if not _holds(binding, value, value):
        state = "not_met"
    elif not _holds(binding, low, high) or m["n"] < binding.n:
        state = "unsure"
    return Found(anchor, "measure", state, title, text, _detail(m, shown))


def _detail(m: dict[str, Any], shown: str) -> tuple[tuple[str, str], ...]:
    detail = [("value", shown), ("n", str(m["n"])), ("promise", m["promise"]), ("how", m.get("command", "luodi run"))]
    if m.get("gate"):
        detail.append(("gate", f"{m['gate']['bound']}: {m['gate']['verdict']}"))
    return (*detail, *((key, str(m[key])) for key in ("data", "seed", "note") if m.get(key)))


def _gated(m: dict[str, Any], anchor: str, title: Words, shown: str) -> Found:
    """Held against the project's own gate, which was signed before the run."""
    gate = m.get("gate")
    if not gate:
        text = Words(f"{shown}, n {m['n']:,}; the project sets no gate", f"{shown}，n {m['n']:,}；项目未设门槛")
        return Found(anchor, "measure", "missing", title, text)
    states: dict[str, State] = {"pass": "met", "block": "not_met", "need more": "unsure"}
    text = Words(
        f"{shown}, n {m['n']:,}; gate {gate['bound']}: {gate['verdict']}",
        f"{shown}，n {m['n']:,}；门槛 {gate['bound']}：{words(gate['verdict']).zh}",
    )
    return Found(anchor, "measure", states[gate["verdict"]], title, text, _detail(m, shown))


def _holds(binding: Binding, low: float, high: float) -> bool:
    return (binding.at_least is None or low >= binding.at_least) and (
        binding.at_most is None or high <= binding.at_most
    )


def _bound(binding: Binding, unit: str) -> Words:
    sign, bound = ("≥", binding.at_least) if binding.at_least is not None else ("≤", binding.at_most)
    if bound is None:
        return Words("", "")
    asked = f"{sign} {number(bound, unit)}{' %' if unit == 'share' else ''}"
    more = (f", n ≥ {binding.n:,}", f"，n ≥ {binding.n:,}") if binding.n else ("", "")
    return Words(f"; asked {asked}{more[0]}", f"；要求 {asked}{more[1]}")


def _card(binding: Binding, case: Case) -> Found:
    card, _, name = binding.card.partition(": ")
    text = str(case.passport.get("cards", {}).get(card, {}).get(name, ""))
    title = Words(f"{card} card: {name}", f"{'模型卡' if card == 'model' else '数据卡'}：{name}")
    anchor = f"card-{card}-{name.lower().replace(' ', '-').replace(',', '')}"
    if not text:
        return Found(anchor, "card", "missing", title, Words("empty", "未填写"))
    return Found(anchor, "card", "met", title, Words(text, text), (("part", f"cards/{card}-card.md"), ("text", text)))


def _part(binding: Binding, case: Case) -> Found:
    path, anchor = case.folder / binding.part, f"part-{binding.part.replace('/', '-')}"
    title = Words(binding.part, binding.part)
    if not path.is_file():
        return Found(anchor, "part", "missing", title, Words("not in the release", "发布中没有"))
    digest = sha256_file(path)
    text = Words(f"signed part of the release, SHA-256 {digest[:12]}…", f"发布中已签名的部件，SHA-256 {digest[:12]}…")
    return Found(anchor, "part", "met", title, text, (("path", binding.part), ("sha256", digest)))


def _check(binding: Binding, case: Case) -> Found:
    policy = case.passport.get("policy", {}).get("guard", {})
    title = Words(f"guard, {binding.door}: {binding.check}", f"护栏（{_DOORS[binding.door]}）：{binding.check}")
    anchor = f"check-{binding.door}-{binding.check}"
    if binding.check not in policy.get(binding.door, ()):
        return Found(anchor, "check", "missing", title, Words("not in the policy", "策略中没有"))
    own = policy.get("checks", {}).get(binding.check, {})
    if own.get("action") == "allow":
        return Found(anchor, "check", "not_met", title, Words("looks on and does nothing", "只观察，不处置"))
    text = Words(
        "in the signed policy; a call that it did not judge is recorded so",
        "在已签名的策略中；未经其判断的调用会如实记录",
    )
    return Found(anchor, "check", "met", title, text, (("part", "policy.json"), ("options", str(own or "defaults"))))


_DOORS = {"input": "输入", "untrusted": "不可信文本", "output": "输出"}


def _option(binding: Binding, case: Case) -> Found:
    value: Any = case.passport["project"]
    for step in binding.option.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    title, anchor = Words(binding.option, binding.option), f"option-{binding.option}"
    if value is None:
        return Found(anchor, "option", "missing", title, Words("not set", "未设置"))
    met = value == binding.equals if binding.equals is not None else _holds(binding, value, value)
    return Found(
        anchor, "option", "met" if met else "not_met", title, Words(str(value), str(value)),
        (("project file", f"{binding.option}: {value}"),),
    )  # fmt: skip


def _fact(binding: Binding, case: Case) -> Found:
    from luodi.release.compliance.facts import FACTS

    if binding.fact not in case._facts:
        case._facts[binding.fact] = FACTS[binding.fact](case)
    return case._facts[binding.fact]


def _draft(binding: Binding, case: Case) -> Found:
    title, anchor = words(f"draft_{binding.draft}"), f"draft-{binding.draft}"
    made = case.drafts.get(binding.draft)
    state: State
    if made is None:
        return Found(anchor, "draft", "missing", title, Words("not drafted", "尚未起草"))
    text, filled, places = made
    if filled == places:
        said, state = Words(f"all {places} places filled", f"{places} 处均已填写"), "met"
    else:
        state = "unsure"
        said = Words(
            f"drafted: {filled} of {places} places filled from the release, the rest is left to people",
            f"已起草：{places} 处中有 {filled} 处由发布填写，其余留待人工",
        )
    return Found(anchor, "draft", state, title, said, (("text", text),))


def _design(binding: Binding, case: Case) -> Found:
    assert binding.design is not None
    text = Words(binding.design.en, binding.design.zh)
    return Found(f"design-{digest_bytes(text.en.encode())[:8]}", "design", "design", words("by_design"), text)


_LOOK: dict[str, Callable[[Binding, Case], Found]] = {
    "measure": _measure, "card": _card, "part": _part, "check": _check, "option": _option, "fact": _fact,
    "draft": _draft, "design": _design,
}  # fmt: skip
