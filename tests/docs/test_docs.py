"""Documents stay true: the Chinese mirrors the English, and what they name is there."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import ROOT, Page, pages, pairs

from luodi import __version__

PAIRS = [pytest.param(en, zh, id=en.name) for en, zh in pairs()]
PAGES = [pytest.param(page, id=page.name) for page in pages()]
GENERATED = re.compile(r"<!-- ([\w ]+) -->\n(.*?)<!-- end of \1 -->", re.S)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names(folder: str) -> set[str]:
    return {p.relative_to(ROOT / folder).as_posix() for p in (ROOT / folder).rglob("*") if p.is_file()}


GLOSSARY = rows(ROOT / "docs/glossary.csv")
WORDS = rows(ROOT / "src/luodi/cli/words.csv")


def test_both_languages_have_the_same_files() -> None:
    assert names("docs/en") == names("docs/zh")


@pytest.mark.parametrize(("en", "zh"), PAIRS)
class TestTheChinesePage:
    def test_has_the_same_headings_in_number_and_level(self, en: Page, zh: Page) -> None:
        assert [level for level, _ in zh.headings] == [level for level, _ in en.headings]

    def test_has_the_same_code_blocks(self, en: Page, zh: Page) -> None:
        assert zh.blocks == en.blocks

    def test_has_the_same_generated_parts(self, en: Page, zh: Page) -> None:
        assert GENERATED.findall(zh.text) == GENERATED.findall(en.text)

    def test_names_the_same_commands_files_and_options(self, en: Page, zh: Page) -> None:
        assert Counter(zh.inline) == Counter(en.inline)

    @pytest.mark.parametrize("start", [r"\|", r"- ", r"\d+\. "])
    def test_has_as_many_table_rows_and_list_items(self, en: Page, zh: Page, start: str) -> None:
        assert len(zh.lines(start)) == len(en.lines(start))

    def test_links_to_the_same_pages_in_chinese(self, en: Page, zh: Page) -> None:
        assert sorted(zh.links) == sorted(link.replace("docs/en/", "docs/zh/") for link in en.links)

    def test_calls_what_the_english_defines_by_its_name_in_the_glossary(self, en: Page, zh: Page) -> None:
        wanted = [t["zh"] for t in GLOSSARY if re.search(rf"\*\*{re.escape(t['en'])}\*\*", en.text)]
        assert [term for term in wanted if f"**{term}**" not in zh.text] == []

    def test_is_in_chinese(self, en: Page, zh: Page) -> None:
        assert all(re.search(r"[一-鿿]", title) for level, title in zh.headings if level < 3)


@pytest.mark.parametrize("page", PAGES)
class TestAPage:
    def test_links_to_what_is_there(self, page: Page) -> None:
        missing = []
        for link in page.links:
            path, _, anchor = unquote(link).partition("#")
            target = page.path.parent / path if path else page.path
            if re.match(r"[a-z]+:", link):
                continue
            if not target.exists() or (anchor and anchor not in anchors(Page(target))):
                missing.append(link)
        assert missing == []

    def test_names_no_path_of_the_machine_it_was_written_on(self, page: Page) -> None:
        assert re.findall(r"(?<![\w.~-])/(?:work|root|home|Users|tmp/lab)\b[^\s`]*", page.text) == []

    def test_names_make_targets_that_exist(self, page: Page) -> None:
        targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8")))
        code = [*page.inline, *(line for block in page.blocks for line in block.text.splitlines())]
        named = {m[1] for text in code if (m := re.match(r"(?:\$ )?make ([a-z][\w-]*)", text))}
        assert named - targets == set()


def anchors(page: Page) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in page.headings}


def test_make_help_names_targets_that_exist() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r'@echo "make ([a-z-]+)', text))
    assert named
    assert named <= set(re.findall(r"(?m)^([a-z][a-z-]*):", text))


def test_the_changelog_has_an_entry_for_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    entry = re.search(rf"(?ms)^## {re.escape(__version__)}\b[^\n]*\n(.*?)(?=^## |\Z)", text)
    assert entry, f"CHANGELOG.md has no entry for {__version__}"
    assert re.search(r"(?m)^- \S", entry[1])


class TestTheGlossary:
    def test_says_every_term_once_in_both_languages(self) -> None:
        for column in ("key", "en"):
            assert [v for v, n in Counter(t[column] for t in GLOSSARY).items() if n > 1] == []
        assert all(t["en"] and re.search(r"[一-鿿]", t["zh"]) for t in GLOSSARY)

    def test_agrees_with_the_interface_on_the_keys_of_both(self) -> None:
        shown = {w["key"]: w["zh"] for w in WORDS if "{" not in w["en"]}
        assert [t["key"] for t in GLOSSARY if shown.get(t["key"], t["zh"]) != t["zh"]] == []

    def test_agrees_with_the_interface_wherever_that_uses_a_term(self) -> None:
        wrong = []
        for word in WORDS:
            english = re.sub(r"\{[^}]*\}|`[^`]*`|luodi \w+", " ", word["en"])
            for term in sorted(GLOSSARY, key=lambda t: -len(t["en"])):
                pattern = rf"(?i)\b{re.escape(term['en'])}s?\b"
                if re.search(pattern, english):
                    english = re.sub(pattern, " ", english)
                    if term["zh"] not in word["zh"]:
                        wrong.append((word["key"], term["en"], term["zh"], word["zh"]))
        assert wrong == []
