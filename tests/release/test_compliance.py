"""Nothing is called conforming that was not found in the release and met."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from luodi.errors import LuodiError, ProjectError
from luodi.release import verify
from luodi.release.compliance import Case, assess, find_packs, read_pack
from luodi.release.compliance.banks import ASPECTS, BANKS, RISKS, Entry, add, count, draw, read_verdicts, write_entries
from luodi.release.compliance.drafts import DRAFTS, draft_all
from luodi.release.compliance.evidence import look
from luodi.release.compliance.facts import FACTS
from luodi.release.compliance.packs import Binding, chosen
from luodi.release.compliance.report import listed, render, write
from luodi.release.report import words
from luodi.store import Store
from luodi.testing import tiny_release

ABOUT = {
    "release": "helpdesk@1",
    "digest": "ab" * 32,
    "created": "2026-01-01T00:00:00Z",
    "signer": "me",
    "time": "2026-01-02T00:00:00Z",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("law") / "store")
    tiny_release(store)
    return store


@pytest.fixture
def case(store: Store) -> Case:
    from luodi.release import Registry

    found = verify(Registry(store).find("helpdesk"), store)
    return Case(found.passport, found.folder, found.signer, found.parts, store, None, draft_all(found.passport))


def pack(*evidence: dict, automatic: str = "whole"):
    control = {
        "id": "X-1", "instrument": "a law", "clause": "1", "kind": "gate", "requirement": {"en": "do", "zh": "做"},
        "basis": "text", "automatic": automatic, "evidence": list(evidence),
    }  # fmt: skip
    from luodi.release.compliance.packs import Pack

    return Pack.model_validate({"name": "x", "title": {"en": "x", "zh": "x"}, "controls": [control]})


def status(case: Case, *evidence: dict, **more) -> str:
    return assess(pack(*evidence, **more), case).controls[0].status


class TestPacks:
    def test_all_106_controls_are_there_once_in_both_languages(self):
        controls = [c for p in find_packs().values() for c in p.controls]
        assert len(controls) == len({c.id for c in controls}) == 106
        assert sum(c.basis == "general-knowledge" for c in controls) == 35
        assert all(re.search("[\u4e00-\u9fff]|HIPAA", c.requirement.zh) for c in controls)

    def test_every_fact_draft_and_word_that_is_named_exists(self):
        for p in find_packs().values():
            for binding in (b for c in p.controls for b in c.evidence):
                assert not binding.fact or binding.fact in FACTS
                assert not binding.draft or binding.draft in DRAFTS
        for name in [*(f"fact_{f}" for f in FACTS), *(f"draft_{d}" for d in DRAFTS)]:
            assert words(name).zh != words(name).en, name

    def test_a_projects_own_pack(self, tmp_path):
        (tmp_path / "compliance").mkdir()
        mine = pack({"fact": "signed"}).model_dump(mode="json") | {"name": "house-rules"}
        mine["controls"][0]["evidence"] = [{"fact": "signed"}]
        (tmp_path / "compliance" / "house.yaml").write_text(yaml.safe_dump(mine))
        assert "house-rules" in find_packs(tmp_path)
        assert [p.name for p in chosen(["house-rules", "gdpr", "gdpr"], tmp_path)] == ["house-rules", "gdpr"]
        with pytest.raises(ProjectError, match="no compliance pack 'nothing'"):
            chosen(["nothing"], tmp_path)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("name: x\n  y: [", "not YAML"),
            ("name: x", "title"),
            ("{name: x, title: {en: x, zh: x}, controls: []}", "controls"),
            ("just text", "valid dictionary"),
        ],
    )
    def test_a_broken_pack_names_the_place(self, tmp_path, text, told):
        path = tmp_path / "p.yaml"
        path.write_text(text)
        with pytest.raises(ProjectError, match=told):
            read_pack(path)

    def test_evidence_names_one_thing(self):
        for wrong in ({}, {"measure": "a", "part": "b"}, {"measure": "a", "colour": "red"}):
            with pytest.raises(ValueError, match=r"one of|Extra"):
                Binding.model_validate(wrong)


class TestStatus:
    def test_met_by_the_pessimistic_end(self, case):  # 1.0 [0.96, 1.0], n 100
        assert status(case, {"measure": "answers_supported", "at_least": 0.95}) == "conforms"
        assert status(case, {"measure": "answers_supported", "at_least": 0.95}, automatic="part") == "in_part"
        assert status(case, {"measure": "answers_supported", "at_least": 0.97}) == "no_evidence"
        assert status(case, {"measure": "answers_supported", "at_least": 0.95, "n": 101}) == "no_evidence"
        assert status(case, {"measure": "answers_supported", "at_most": 0.5}) == "does_not"

    def test_where_the_law_gives_no_number_the_gate_decides(self, case):
        gated = {"measure": "answers_supported", "gated": True}
        assert status(case, gated) == "conforms"
        (m,) = case.passport["promises"]["fit"]
        for verdict, expected in (("block", "does_not"), ("need more", "no_evidence")):
            m["gate"]["verdict"] = verdict
            assert status(case, gated) == expected
        m["gate"] = None
        assert status(case, gated) == "no_evidence"

    def test_what_is_not_measured_is_no_evidence(self, case):
        assert status(case, {"measure": "nothing", "at_least": 0.1}) == "no_evidence"
        assert status(case) == "no_evidence"
        assert status(case, {"fact": "signed"}, {"measure": "nothing"}) == "no_evidence"

    def test_a_promise_of_the_product_shows_nothing(self, case):
        design = {"design": {"en": "we do it", "zh": "我们会做"}}
        assert status(case, design) == "no_evidence"
        assert status(case, design, {"fact": "signed"}) == "conforms"
        assert not assess(pack(design), case).controls[0].automatic

    def test_one_that_is_not_met_decides(self, case):
        assert (
            status(case, {"fact": "signed"}, {"measure": "nothing"}, {"option": "name", "equals": "other"})
            == "does_not"
        )

    def test_what_does_not_apply_needs_a_reason(self, case):
        found = assess(pack({"fact": "signed"}), case, {"X-1": "we are no bank"})
        assert (found.controls[0].status, found.controls[0].reason) == ("not_applicable", "we are no bank")
        assert assess(pack({"fact": "signed"}), case, {"X-1": ""}).controls[0].status == "conforms"

    @pytest.mark.parametrize(
        ("binding", "state"),
        [
            ({"check": "rules", "door": "input"}, "met"),
            ({"check": "moderation", "door": "output"}, "missing"),
            ({"part": "policy.json"}, "met"),
            ({"part": "nowhere.json"}, "missing"),
            ({"card": "model: Licence of the base model"}, "met"),
            ({"card": "data: Sources, licences, legal basis"}, "missing"),
            ({"option": "name", "equals": "helpdesk"}, "met"),
            ({"option": "serve.privacy", "equals": "own-engines-only"}, "missing"),
            ({"fact": "own_gates"}, "met"),
            ({"fact": "safe_formats"}, "met"),
            ({"fact": "log_verifies"}, "met"),
            ({"fact": "erasure_drill"}, "met"),
            ({"fact": "log_anchored"}, "missing"),
            ({"fact": "watermark"}, "missing"),
            ({"fact": "bank_test"}, "missing"),
            ({"fact": "keyword_library"}, "not_met"),
            ({"draft": "annex-iv"}, "unsure"),
        ],
    )
    def test_each_kind_of_evidence(self, case, binding, state):
        assert look(Binding.model_validate(binding), case).state == state


class TestFacts:
    def test_thresholds_signed_after_the_run_do_not_conform(self, case):
        case.passport["stages"] = [{"stage": "answers", "time": "2025-12-31T00:00:00Z"}]
        case.passport["thresholds"] = {"time": "2026-01-01T00:00:00Z", "signature": {"keyid": "x"}}
        assert FACTS["thresholds_before_run"](case).state == "not_met"
        case.passport["stages"][0]["time"] = "2026-01-01T00:00:01Z"
        assert FACTS["thresholds_before_run"](case).state == "met"
        case.passport["thresholds"]["signature"] = None
        assert FACTS["thresholds_before_run"](case).state == "missing"

    @pytest.mark.parametrize(
        ("days", "six", "year"), [(0, "met", "met"), (200, "met", "not_met"), (30, "not_met", "not_met")]
    )
    def test_how_long_the_log_is_kept(self, case, days, six, year):
        case.passport["project"]["serve"] = {"audit": {"record_days": days}}
        assert FACTS["log_kept_six_months"](case).state == six
        assert FACTS["log_kept_one_year"](case).state == year

    def test_a_log_that_was_touched_does_not_conform(self, store, case, tmp_path):
        import shutil

        shutil.copytree(store.root, tmp_path / "touched")
        touched = Store(tmp_path / "touched")
        with touched.database.begin() as connection:
            connection.exec_driver_sql("UPDATE log SET actor = 'somebody else' WHERE seq = 0")
        case.store = touched
        assert FACTS["log_verifies"](case).state == "not_met"

    def test_the_row_of_the_release_is_proven_to_be_in_the_log(self, store, case):
        from luodi.store.audit import check, make_checkpoint

        make_checkpoint(store)
        detail = dict(FACTS["log_verifies"](case).detail)
        body, _ = check(json.loads(detail["inclusion proof"]))
        assert body["kind"] == "release.made" and body["subject"] == "helpdesk@1"

    def test_a_gate_without_a_number_of_items(self, case):
        assert FACTS["intervals_and_denominators"](case).state == "met"
        for found in case.passport["promises"].values():
            for m in found:
                m.pop("low", None)
                m["value"] = 0.5
        assert FACTS["intervals_and_denominators"](case).state == "not_met"


class TestReport:
    def test_every_link_opens(self, case):
        found = [assess(p, case) for p in find_packs().values()]
        page = render(found, ABOUT, "zh")
        targets = set(re.findall(r'id="([^"]+)"', page))
        links = re.findall(r'href="#([^"]+)"', page)
        assert len(links) > 60 and set(links) <= targets
        assert 'lang="zh"' in page and "http" not in re.sub(r"https?://[^\s<]*", "", page)

    def test_nothing_of_a_release_is_markup(self, case):
        case.passport["cards"]["model"]["Licence of the base model"] = "<script>alert(1)</script>"
        found = assess(pack({"card": "model: Licence of the base model"}), case)
        page = render([found], ABOUT)
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page

    def test_json_and_pdf(self, case, tmp_path):
        found = [assess(p, case) for p in chosen(["eu-ai-act", "gb45654"])]
        write(found, ABOUT, tmp_path / "r.json", "json")
        loaded = json.loads((tmp_path / "r.json").read_bytes())
        assert loaded["schema"] == 1 and [p["pack"] for p in loaded["packs"]] == ["eu-ai-act", "gb45654"]
        first = loaded["packs"][0]["controls"][0]
        assert first["evidence"][0]["anchor"] == "fact-thresholds_before_run"
        pytest.importorskip("reportlab")
        for language in ("en", "zh"):
            write(found, ABOUT, tmp_path / "r.pdf", "pdf", language)
            assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")
        text = _pdf_text(tmp_path / "r.pdf")
        assert "无证据" in text and "EU-AIA-09" in text

    def test_evidence_is_listed_once(self, case):
        found = [assess(p, case) for p in find_packs().values()]
        anchors = [f.anchor for f in listed(found)]
        assert len(anchors) == len(set(anchors)) > 10


def _pdf_text(path: Path) -> str:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return "".join(page.get_textpage().get_text_range() for page in document)


class TestDrafts:
    def test_each_says_what_is_left_to_people(self, case):
        for name, (text, filled, places) in draft_all(case.passport).items():
            assert 0 < filled < places, name
            assert text.count("[to fill in: ") == places - filled
        assert "answers supported" in draft_all(case.passport)["annex-iv"][0].lower()

    def test_a_document_that_people_filled_counts(self, case, tmp_path):
        (tmp_path / "compliance").mkdir()
        text = draft_all(case.passport)["dpia"][0]
        (tmp_path / "compliance" / "dpia.md").write_text(text.replace("[to fill in: ", "filled (").replace("]", ")"))
        case.drafts = draft_all(case.passport, tmp_path)
        assert look(Binding(draft="dpia"), case).state == "met"
        assert look(Binding(draft="annex-iv"), case).state == "unsure"


class TestBanks:
    def full(self, project: Path, name="refuse", **more):
        entries = [Entry(f"问题 {n} 关于 {c}", c, "2026-01-10") for c in BANKS[name].needs for n in range(120)]
        write_entries(project / "compliance" / "banks" / f"{name}.csv", entries, **more)

    def test_31_risks_and_13_aspects(self):
        assert (len(RISKS), len(BANKS["refuse"].needs), len(ASPECTS)) == (31, 17, 13)
        assert BANKS["test"].needs["A.1.1"] == 50 and BANKS["test"].needs["A.3.1"] == 20

    def test_quotas_and_freshness(self, tmp_path):
        assert not count(tmp_path, "refuse").met
        self.full(tmp_path)
        good = count(tmp_path, "refuse", date(2026, 2, 1))
        assert good.met and good.total == 17 * 120 and not good.short
        assert not count(tmp_path, "refuse", date(2026, 3, 1)).met, "older than a month"

    def test_variants_are_one_text(self, tmp_path):
        path = tmp_path / "compliance" / "banks" / "refuse.csv"
        write_entries(
            path, [Entry(t, "A.1.1", "2026-01-01") for t in ("How to do it?", "ＨＯＷ  to do it", "how, to do it!!")]
        )
        found = count(tmp_path, "refuse")
        assert (found.total, found.repeats, found.short["A.1.1"]) == (1, 2, (1, 20))

    def test_import_leaves_out_what_is_there(self, tmp_path):
        source = tmp_path / "more.jsonl"
        source.write_text('{"text": "你好吗", "category": "culture"}\n{"text": "你好吗？", "category": "culture"}\n')
        assert add(tmp_path, "answer", source, date(2026, 1, 1)) == (1, 1)
        assert add(tmp_path, "answer", source) == (0, 2)
        assert count(tmp_path, "answer").newest == "2026-01-01"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("text\na\n", "columns text and category"),
            ("text,category\nhello,nowhere\n", r"answer\.csv:2: no category 'nowhere'"),
            ("text,category\n!!!,culture\n", "no text"),
            ("text,category,date\nhello,culture,yesterday\n", "no date"),
            ("", "columns"),
        ],
    )
    def test_a_mistake_is_named_by_its_line(self, tmp_path, text, told):
        path = tmp_path / "compliance" / "banks" / "answer.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        with pytest.raises(ProjectError, match=told):
            count(tmp_path, "answer")

    def test_not_utf8(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_bytes("text,category\n你好,culture\n".encode("gb18030"))
        with pytest.raises(LuodiError, match="not UTF-8"):
            add(tmp_path, "answer", path)

    def test_a_sample_is_the_same_for_the_same_seed_and_covers_all(self, tmp_path):
        self.full(tmp_path)
        one, two, other = (draw(tmp_path, "refuse", 300, seed) for seed in (1, 1, 2))
        assert one == two != other and len(one) == 300
        assert {e.category for e in one} == set(BANKS["refuse"].needs)
        with pytest.raises(ProjectError, match="holds 2040"):
            draw(tmp_path, "refuse", 5000, 1)

    def test_verdicts_of_people(self, tmp_path, case):
        self.full(tmp_path)
        path = tmp_path / "compliance" / "verdicts" / "generated.csv"
        write_entries(path, draw(tmp_path, "refuse", 1200, 1), verdict=True)
        case.project = tmp_path
        assert FACTS["verdicts_generated"](case).state == "missing"
        lines = path.read_text().splitlines()
        judged = [
            lines[0],
            *(line + ("合格" if n < 930 else "fail") for n, line in enumerate(lines[1:1001])),
            *lines[1001:],
        ]
        path.write_text("\n".join(judged))
        found = read_verdicts(tmp_path, "generated")
        assert (found.n, found.passed, found.open) == (1000, 930, 200)
        assert FACTS["verdicts_generated"](case).state == "met"
        path.write_text(
            "\n".join(judged).replace("合格", "fail", 30)
        )  # 900 of 1,000: the number is met, not with confidence
        case._facts.clear()
        assert FACTS["verdicts_generated"](case).state == "unsure"
        path.write_text("text,category,date,verdict\na,b,c,maybe\n")
        with pytest.raises(ProjectError, match="'maybe' is no verdict"):
            read_verdicts(tmp_path, "generated")
