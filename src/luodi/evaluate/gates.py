"""Gates: bounds on measurements, judged on the pessimistic end of the interval. Not measured is not passed.

Three verdicts: pass, block, need more. Beside the verdict stands whether the bare value meets the bound, and whether
it does so with confidence (one-sided, 95 % unless the project says otherwise).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Literal

from luodi.evaluate.items import Item, Items, clusters_of
from luodi.evaluate.pairing import compare
from luodi.evaluate.statistics import holm, items_for_share, items_needed, mean_of
from luodi.pipeline import Measurement
from luodi.project import Gate, Waiver

Verdict = Literal["pass", "block", "need more"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate with its verdict.

    Attributes:
        meets_value: whether the bare value meets the bound.
        confident: whether it meets it with confidence.
        needed: about how many items would decide, if more are needed.
        how: what was judged: items, pairs, interval, value.
        p: of the hypothesis that the bound is not met; None where no items were kept.
        waiver: who lets it through all the same, why, and until when.
    """

    measure: str
    bound: str
    verdict: Verdict
    required: bool
    reason: str
    meets_value: bool = False
    live: float | None = None
    confident: bool = False
    needed: int | None = None
    how: str = ""
    p: float | None = None
    waiver: dict[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What gates are judged by: measurements by name, their items, and the measures that are unchanged from live."""

    measured: Mapping[str, Measurement]
    items: Items
    live: Mapping[str, Measurement]
    live_items: Items
    same: frozenset[str] = frozenset()
    confidence: float = 0.95


def judge(gate: Gate, measured: Mapping[str, Measurement], live: Mapping[str, Measurement]) -> Judged:
    """The verdict of one gate on measurements alone. `live` holds those of the live release."""
    return judge_one(gate, Evidence(measured, {}, live, {}))


def judge_all(
    gates: Sequence[Gate],
    evidence: Evidence,
    *,
    waivers: Sequence[Waiver] = (),
    multiplicity: Literal["none", "holm"] = "none",
    today: date | None = None,
) -> list[Judged]:
    """The verdicts of all gates, held against one another where that is asked for, and waived where someone does."""
    judged = [judge_one(gate, evidence) for gate in gates]
    if multiplicity == "holm":
        judged = _together(judged, 1 - evidence.confidence)
    by_measure = {w.measure: w for w in waivers}
    return [_waived(j, by_measure.get(j.measure), today or date.today()) for j in judged]


def overall(judged: Sequence[Judged]) -> Verdict:
    """The verdict of all: a required gate that blocks blocks; one that needs more items does not let through either.

    A gate that is waived lets through.
    """
    required = {j.verdict for j in judged if j.required and j.waiver is None}
    return "block" if "block" in required else "need more" if "need more" in required else "pass"


def judge_one(gate: Gate, evidence: Evidence) -> Judged:
    """The verdict of one gate, on items where they were kept."""
    m = evidence.measured.get(gate.measure)
    start = Judged(gate.measure, _bound(gate), "block", gate.required, "")
    if m is None:
        return replace(start, reason="not measured, and what is not measured is not passed")
    if m.n == 0:
        return replace(start, verdict="need more", reason="measured on no items")
    if not math.isfinite(m.value):
        return replace(start, reason=f"{m.value} is no figure")
    blind = _judge_is_blind(gate, m, start)
    if blind is not None:
        return blind
    if gate.margin is None:
        return _absolute(gate, m, evidence, start)
    compared = _against_live(gate, m, evidence, start)
    if compared.verdict != "pass" or (gate.at_least is None and gate.at_most is None):
        return compared
    return replace(_absolute(gate, m, evidence, start), live=compared.live)


def _bound(gate: Gate) -> str:
    parts = []
    if gate.at_least is not None:
        parts.append(f"≥ {gate.at_least:g}")
    if gate.at_most is not None:
        parts.append(f"≤ {gate.at_most:g}")
    if gate.margin is not None:
        parts.append(f"not worse than live by {gate.margin:g}")
    return ", ".join(parts)


def _meets(gate: Gate, low: float, high: float) -> bool:
    return (gate.at_least is None or low >= gate.at_least) and (gate.at_most is None or high <= gate.at_most)


def _own_items(m: Measurement, items: Items) -> Sequence[Item]:
    """The items that a measurement is the mean of; none if it is something else of them, e.g. corrected for a judge."""
    found = () if m.judge else items.get(m.name, ())
    same = len(found) == m.n and abs(sum(i.score for i in found) / len(found) - m.value) < 1e-4 if found else False
    return found if same else ()


def _absolute(gate: Gate, m: Measurement, evidence: Evidence, start: Judged) -> Judged:
    items = _own_items(m, evidence.items)
    scores, clusters = [i.score for i in items], clusters_of(items)

    def ends(confidence: float) -> tuple[float, float]:
        if items:
            e = mean_of(scores, 2 * confidence - 1, clusters)
            return e.low, e.high
        return m.value if m.low is None else m.low, m.value if m.high is None else m.high

    low, high = ends(evidence.confidence)
    met, confident = _meets(gate, m.value, m.value), _meets(gate, low, high)
    p = _p_value(lambda c: _meets(gate, *ends(c))) if items else None
    how = "value" if gate.judge == "value" or m.low is None else "items" if items else "interval"
    start = replace(start, meets_value=met, confident=confident, how=how, p=p)
    if not met:
        return replace(start, reason=f"{m.value:.4g} {m.unit}")
    if gate.judge == "value" or confident:
        return replace(start, verdict="pass")
    needed = _needed(gate, m, low, high, bool(items) and set(scores) <= {0.0, 1.0}, evidence.confidence)
    more = f"; about {needed:,} would do if the value holds" if needed else ""
    reason = f"the value meets the bound, its interval [{low:.3g}, {high:.3g}] does not: {m.n} items are too few{more}"
    return replace(start, verdict="need more", reason=reason, needed=needed)


def _p_value(meets: Callable[[float], bool]) -> float:
    """One less the highest one-sided confidence at which the bound is met."""
    low, high = 0.5, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if meets(middle) else (low, middle)
    return 1 - low


def _needed(gate: Gate, m: Measurement, low: float, high: float, shares: bool, confidence: float) -> int | None:
    """Items that would show with 80 % power that this value meets the bound."""
    found = []
    for bound, end in ((gate.at_least, low), (gate.at_most, high)):
        if bound is None or bound == m.value or (end - bound) * (m.value - bound) >= 0:
            continue
        if shares and 0 < bound < 1:
            found.append(items_for_share(m.value, bound, confidence))
        else:
            deviation = abs(m.value - end) * m.n**0.5 / 1.645
            found.append(items_needed(deviation, abs(m.value - bound), confidence))
    return max(found) if found else None


def _against_live(gate: Gate, m: Measurement, evidence: Evidence, start: Judged) -> Judged:
    """Paired non-inferiority on the items of both; on the two intervals where no items were kept."""
    assert gate.margin is not None
    live = evidence.live.get(gate.measure)
    if live is None:
        return replace(start, verdict="pass", reason="no live release to compare with", meets_value=True)
    start = replace(start, live=live.value)
    if gate.measure in evidence.same:
        return replace(start, verdict="pass", meets_value=True, confident=True, how="the same result")
    new, old = evidence.items.get(m.name, ()), evidence.live_items.get(m.name, ())
    # What two judges flagged is not the same thing.
    other_judge = (m.judge or {}).get("version") != (live.judge or {}).get("version")
    if not new or not old or other_judge or gate.judge == "value":
        return _two_intervals(gate, m, live, start)
    found = compare(new, old, gate.margin, evidence.confidence, lower_is_better=m.better == "lower")
    result, missing = found.result, found.missing
    passed = result.low >= -gate.margin
    start = replace(start, meets_value=result.difference >= -gate.margin, confident=passed, how="pairs", p=result.p)
    lost = f"; {missing:,} of its {len(old):,} items were not measured again, and count as lost" if missing else ""
    if passed:
        return replace(start, verdict="pass", reason=lost.removeprefix("; "))
    about = f"{result.difference:+.3g} [{result.low:+.3g}, {result.high:+.3g}] on {result.n:,} pairs{lost}"
    if result.high < -gate.margin:
        return replace(start, reason=f"worse than live: {about}")
    needed = max(result.needed, result.n + 1)
    return replace(
        start, verdict="need more", needed=needed, reason=f"needs about {needed:,} pairs: {about} leaves it open"
    )


def _two_intervals(gate: Gate, m: Measurement, live: Measurement, start: Judged) -> Judged:
    assert gate.margin is not None
    sign = 1 if m.better == "higher" else -1
    difference = sign * (m.value - live.value)
    half_new = (m.high - m.low) / 2 if m.low is not None and m.high is not None else 0.0
    half_old = (live.high - live.low) / 2 if live.low is not None and live.high is not None else 0.0
    spread = (half_new**2 + half_old**2) ** 0.5
    half = spread if gate.judge == "interval" else 0.0
    confident = m == live or difference - spread >= -gate.margin
    how = "value" if gate.judge == "value" else "two intervals"
    start = replace(start, meets_value=difference >= -gate.margin, confident=confident, how=how)
    if m == live or difference - half >= -gate.margin:
        return replace(start, verdict="pass")
    if difference + half < -gate.margin:
        return replace(start, reason=f"worse by {-difference:.3g}")
    needed = items_needed(half * (m.n**0.5) / 1.96, gate.margin)
    return replace(start, verdict="need more", needed=needed, reason=f"needs about {needed} items, has {m.n}")


def _judge_is_blind(gate: Gate, m: Measurement, start: Judged) -> Judged | None:
    """A verdict if what judged the answers misses too much, in any language that it judged; None if it does not."""
    languages = (m.judge or {}).get("languages", {}) if gate.judge_recall else {}
    for language, found in sorted(languages.items()):
        name = f"{(m.judge or {}).get('name', 'the judge')} ({language})"
        if found.get("recall") is None:
            return replace(start, reason=f"judged by {name}, for which there are no human labels")
        if found["recall"] < gate.judge_recall:
            return replace(
                start,
                reason=f"judged by {name}, whose recall is {found['recall']:.2f} on {found['positives']} labels; "
                f"{gate.judge_recall:g} is needed",
            )
        if found["recall_low"] < gate.judge_recall:
            needed = items_for_share(found["recall"], gate.judge_recall)
            return replace(
                start,
                verdict="need more",
                reason=f"judged by {name}, whose recall of {found['recall']:.2f} rests on {found['positives']} labels; "
                f"about {needed:,} would show {gate.judge_recall:g}",
            )
    return None


def _together(judged: Sequence[Judged], alpha: float) -> list[Judged]:
    """Passes that do not hold beside the other gates need more items (Holm)."""
    claims = [i for i, j in enumerate(judged) if j.p is not None and j.required]
    adjusted = dict(zip(claims, holm([judged[i].p or 0.0 for i in claims]), strict=True))
    out = []
    for i, j in enumerate(judged):
        if i in adjusted and j.verdict == "pass" and j.confident and adjusted[i] > alpha:
            reason = (
                f"met on its own (p {j.p:.3g}), not beside the other {len(claims) - 1} gates (Holm p {adjusted[i]:.3g})"
            )
            j = replace(j, verdict="need more", confident=False, reason=reason)
        out.append(j if i not in adjusted else replace(j, p=adjusted[i]))
    return out


def _waived(judged: Judged, waiver: Waiver | None, today: date) -> Judged:
    if waiver is None or judged.verdict == "pass":
        return judged
    if today > waiver.expires:
        ended = f"the waiver of {waiver.person} ended on {waiver.expires.isoformat()}"
        return replace(judged, reason=f"{judged.reason}; {ended}")
    told = {"role": waiver.role, "person": waiver.person, "reason": waiver.reason}
    return replace(judged, waiver=told | {"expires": waiver.expires.isoformat()})
