"""Documents that laws ask for, drafted from a release: measured parts are filled, the rest is marked for people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from luodi.release.compliance.packs import FOLDER
from luodi.release.report import number, words

_OPEN = "[to fill in: "
TO_FILL = _OPEN + "{}]"

Draft = tuple[str, int, int]
"""The text, how many of its places are filled, and how many it has."""


class _Page:
    """A Markdown page, and a count of what is filled."""

    def __init__(self, title: str, about: str) -> None:
        self.lines = [f"# {title}", "", about, ""]
        self.filled = self.places = 0

    def head(self, text: str) -> None:
        self.lines += [f"## {text}", ""]

    def place(self, label: str, value: str, ask: str) -> None:
        """A line with what is known, or what has to be asked."""
        self.places += 1
        self.filled += bool(value)
        self.lines += [f"**{label}**: {value or TO_FILL.format(ask)}", ""]

    def done(self) -> Draft:
        return "\n".join(self.lines), self.filled, self.places


def draft_all(passport: dict[str, Any], project: Path | None = None) -> dict[str, Draft]:
    """Every document by name. One that people went on with in the project's `compliance` folder is taken from there."""
    return {name: _own(name, make(passport), project) for name, make in DRAFTS.items()}


def _own(name: str, made: Draft, project: Path | None) -> Draft:
    path = project / FOLDER / f"{name}.md" if project else None
    if path is None or not path.is_file():
        return made
    text = path.read_text("utf-8", "replace")
    places = max(made[2], text.count(_OPEN))
    return text, places - text.count(_OPEN), places


def _figures(passport: dict[str, Any], *promises: str) -> str:
    found = []
    for promise in promises:
        for m in passport["promises"].get(promise, []):
            unit = " %" if m["unit"] == "share" else f" {m['unit']}"
            interval = ""
            if m.get("low") is not None and m.get("high") is not None:
                interval = f" [{number(float(m['low']), m['unit'])}, {number(float(m['high']), m['unit'])}]"
            found.append(
                f"\n  - {words(m['name']).en}: {number(float(m['value']), m['unit'])}{unit}{interval}, n {m['n']:,}"
            )
    return "".join(found)


def _cards(passport: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    cards = passport.get("cards", {})
    return cards.get("model", {}), cards.get("data", {})


def _release(passport: dict[str, Any]) -> str:
    return f"{passport['name']}@{passport['version']}, made {passport['created']}, verdict: {passport['verdict']}"


def _guard(passport: dict[str, Any]) -> str:
    policy = passport.get("policy", {}).get("guard", {})
    doors = [f"{door}: {', '.join(policy[door])}" for door in ("input", "untrusted", "output") if policy.get(door)]
    return "; ".join(doors)


def instructions(passport: dict[str, Any]) -> Draft:
    """Instructions for use: AI Act, Article 13(3)."""
    model, _ = _cards(passport)
    page = _Page("Instructions for use", "Draft after Article 13(3) of Regulation (EU) 2024/1689.")
    page.head("Provider")
    page.place("Name and contact", "", "name, address, authorised representative")
    page.head("Characteristics, capabilities and limits")
    page.place("System", _release(passport), "")
    page.place("Intended purpose", model.get("Intended use", ""), "what it is for, and for whom")
    page.place("Not to be used for", model.get("Not intended for", ""), "foreseeable misuse")
    page.place("Accuracy, as measured", _figures(passport, "fit"), "accuracy metrics")
    page.place("Robustness and cybersecurity, as measured", _figures(passport, "security"), "robustness metrics")
    page.place("Known limits", model.get("Known limits", ""), "circumstances that lower its accuracy")
    page.place("Groups of persons on whom it is used", "", "specific groups, and how it performs for them")
    page.place("Data", "cards/data-card.md in the release", "")
    page.head("Human oversight")
    page.place(
        "Measures",
        "appeals and a queue of reviews; `luodi release revoke` stops it on every gateway within a second",
        "",
    )
    page.place("Who oversees, and how they were trained", "", "names or roles")
    page.head("Resources, lifetime, maintenance")
    page.place("Resources, as measured", _figures(passport, "cost"), "hardware")
    page.place("Expected lifetime and updates", "", "how long, and how often")
    page.place("Logs", "every call is a row of a signed log: `luodi audit verify`, `luodi audit export`", "")
    return page.done()


def annex_iv(passport: dict[str, Any]) -> Draft:
    """Technical documentation: AI Act, Annex IV."""
    model, data = _cards(passport)
    page = _Page("Technical documentation", "Draft after Annex IV of Regulation (EU) 2024/1689; nine headings.")
    page.head("1. General description")
    page.place("System and version", _release(passport), "")
    page.place("Intended purpose", model.get("Intended use", ""), "purpose")
    page.place("Provider", "", "name and address")
    page.place("How it is placed on the market", "", "package, download, interface")
    page.head("2. Elements and development")
    page.place("Base model", model.get("Base model", ""), "base model")
    page.place("Training", model.get("Tuning", ""), "method")
    page.place("Data", data.get("Sources, licences, legal basis", ""), "origin of data")
    page.place("Preparation of data", data.get("Left out when cleaning", ""), "cleaning")
    page.place("Design choices", "", "main choices and their reasons")
    stages = ", ".join(f"{s['stage']} {s['output'][:12]}" for s in passport.get("stages", []))
    page.place("Steps, with the digest of what each made", stages, "steps")
    page.place("Validation and testing", _figures(passport, "fit", "data"), "metrics")
    page.head("3. Monitoring, functioning and control")
    page.place("Guard", _guard(passport), "checks")
    page.place("Human oversight", "queue of reviews, appeals, revocation", "")
    page.head("4. Appropriateness of the metrics")
    gated = [m["name"] for ms in passport["promises"].values() for m in ms if m.get("gate")]
    page.place("Thresholds, fixed and signed before the run", ", ".join(gated), "metrics")
    page.place("Why these metrics", "", "why they fit the purpose")
    page.head("5. Risk management")
    page.place("Risks and measures", "", "risk register of Article 9")
    page.place("Security, as measured", _figures(passport, "security"), "tests")
    page.head("6. Changes")
    before = passport.get("compared_with") or ""
    page.place("Compared with", before, "earlier version; `luodi release diff` lists the changes")
    page.head("7. Standards applied")
    page.place("Standards", "", "harmonised standards, or other means")
    page.head("8. EU declaration of conformity")
    page.place("Declaration", "", "copy of the declaration")
    page.head("9. Post-market monitoring")
    page.place("Plan", "", "plan of Article 72")
    page.place("Log", "signed Merkle log of every call; `luodi audit export`", "")
    return page.done()


def dpia(passport: dict[str, Any]) -> Draft:
    """Impact assessment: GDPR Article 35, PIPL Articles 55 and 56."""
    model, data = _cards(passport)
    serve = passport["project"].get("serve", {})
    page = _Page("Impact assessment of personal data", "Draft after GDPR Article 35 and PIPL Articles 55-56.")
    page.head("Processing")
    page.place("System", _release(passport), "")
    page.place("Purpose", model.get("Intended use", ""), "purpose of the processing")
    page.place("Controller, processor", "", "who decides, who processes")
    page.place("Sources and legal basis", data.get("Sources, licences, legal basis", ""), "legal basis")
    page.place("Persons concerned", "", "whose data, how many")
    page.place("Where it is processed", _where(serve), "places and recipients")
    audit = serve.get("audit", {})
    kept = f"content {audit.get('content_days')} days, rows {audit.get('record_days') or 'for ever'}" if audit else ""
    page.place("How long it is kept", kept, "retention")
    page.head("Necessity and proportionality")
    page.place("Why it is needed", "", "why less would not do")
    page.place("Personal data in the documents", data.get("Personal data", ""), "disposition")
    page.head("Risks")
    page.place("Left after masking, as measured", _figures(passport, "compliance"), "residual personal data")
    page.place("Attacks, as measured", _figures(passport, "security"), "attacks")
    page.place("Risks to rights and freedoms", "", "likelihood and severity of each")
    page.head("Measures")
    page.place("Guard", _guard(passport), "checks")
    page.place("Erasure", "`luodi audit erase --subject`: content goes, the log still verifies", "")
    page.place("Advice of the data protection officer", "", "advice and date")
    return page.done()


def _where(serve: dict[str, Any]) -> str:
    if not serve:
        return ""
    own = serve.get("privacy") == "own-engines-only"
    return "on own engines only" if own else f"engines of others may be used: {serve.get('engine')}"


def labels(passport: dict[str, Any]) -> Draft:
    """How content is labelled: the clause for a user agreement, measures of 2025 Article 8, GB 45438-2025."""
    page = _Page("Labelling of generated content", "生成合成内容标识说明。Draft of a clause for the user agreement.")
    measured = [m for m in passport["promises"].get("compliance", []) if m["name"] == "answers_labelled"]
    seen = f"{number(float(measured[0]['value']), 'share')} % of {measured[0]['n']} answers" if measured else ""
    page.place("Explicit label", "every answer carries the words 人工智能生成 / AI-generated", "")
    page.place("Seen in tests", seen, "measure it: `luodi run`")
    page.place("Metadata", "AIGC keys of GB 45438 in replies and exported files, bound to the record of the call", "")
    mark = passport.get("policy", {}).get("labels", {}).get("watermark")
    page.place("Watermark", str(mark or ""), "off; `labels.watermark` turns it on")
    page.place("How to check a label", "`luodi labels check FILE`, POST /v1/labels/check", "")
    page.place("Provider named in labels", "", "name or code of the provider")
    page.place("Duties of users", "", "not to remove, alter, forge or hide labels; to declare generated content")
    return page.done()


DRAFTS: dict[str, Callable[[dict[str, Any]], Draft]] = {
    "instructions": instructions,
    "annex-iv": annex_iv,
    "dpia": dpia,
    "labels": labels,
}
