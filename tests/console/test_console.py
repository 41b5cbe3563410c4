from __future__ import annotations

import json
import re

import pytest

from luodi.console import Console, strings
from passport_sample import passport as sample_passport

SERVING = {"release": "helpdesk@3", "engine": "openvino", "pick": "large", "url": "http://127.0.0.1:8470"}


@pytest.fixture
def console() -> Console:
    return Console(sample_passport(), serving=SERVING)


def body(console: Console, path: str, language: str = "en", key: str = "") -> str:
    page = console.respond(path, language=language, key=key)
    assert page is not None
    assert page.status == 200
    return page.body.decode()


def test_the_page_shows_the_release_and_five_promises(console: Console) -> None:
    html = body(console, "/")
    assert "helpdesk@3" in html
    assert html.count("<article>") == 5


def test_a_page_is_in_one_language(console: Console) -> None:
    english, chinese = body(console, "/"), body(console, "/", "zh")
    for key in ("ask_label", "sources", "api"):
        row = strings()[key]
        assert row["en"] in english
        assert row["zh"] in chinese
        if row["en"] != row["zh"]:
            assert row["zh"] not in english.replace(strings()["other_language"]["en"], "")


def test_no_text_is_a_leftover_of_the_template(console: Console) -> None:
    assert "built-in" not in body(console, "/")
    assert strings()["copy"]["en"] in body(console, "/")


def test_every_text_has_both_languages() -> None:
    assert all(row["en"] and row["zh"] for row in strings().values())


def test_the_key_is_in_the_page_only_when_it_is_given(console: Console) -> None:
    assert "luodi-secret" not in body(console, "/")
    assert "luodi-secret" in body(console, "/", key="luodi-secret")


def test_what_holds_a_release_up_heads_its_card(console: Console) -> None:
    html = body(console, "/")
    assert html.index("Abstains when it should") < html.index("Cites the right section") < html.index("Answer F1")
    assert "0.413" in html
    assert "303" not in html  # how many items more is told in the report


def test_a_chinese_page_has_no_english_text_of_ours(console: Console) -> None:
    html = body(console, "/", "zh").split('id="data"')[0]
    english = {row["en"] for key, row in strings().items() if row["en"] != row["zh"] and key != "other_language"}
    shown = set(re.findall(r">([^<>]+)<", html))
    assert not english & {text.strip() for text in shown}


def test_hostile_text_cannot_become_markup() -> None:
    serving = SERVING | {"engine": "<script>alert(1)</script>", "release": "</script><b>x"}
    html = body(Console(sample_passport(), serving=serving), "/")
    assert "<script>alert" not in html
    assert "</script><b>" not in html
    data = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert data is not None
    assert json.loads(data[1])["model"] == "</script><b>x"


def test_pages_forbid_what_they_do_not_need(console: Console) -> None:
    for path in ("/", "/passport"):
        page = console.respond(path, language="en", key="")
        assert page is not None
        policy = dict(page.headers)["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_the_reports_own_script_is_allowed_by_its_digest(console: Console) -> None:
    page = console.respond("/passport", language="en", key="")
    assert page is not None
    assert "'sha256-" in dict(page.headers)["content-security-policy"]


def test_other_paths_are_not_answered(console: Console) -> None:
    for path in ("/nothing", "/console.py", "/../etc/passwd", "/static/console.js"):
        assert console.respond(path, language="en", key="") is None
