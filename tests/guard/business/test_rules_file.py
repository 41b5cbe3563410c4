"""Business rules: read, refused with line and reason, tried beside their tests, reloaded."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from luodi.errors import ProjectError
from luodi.guard import About, Guard, GuardPolicy

pytest.importorskip("cel_expr_python")
from luodi.guard.business import LiveRules, read_rules, try_rules
from luodi.guard.business.variables import amounts

SHOP = """
time_zone: Asia/Shanghai
rules:
  - id: refund-limit
    when: input
    if: 'contains_any(text, ["refund", "退款"]) && amounts.exists(a, a > 500.0) && !confirmed'
    then: human
    severity: high
    tests:
      - {text: "Refund my 900 USD", matches: true}
      - {text: "退款 ¥800", matches: true, given: {confirmed: false}}
      - {text: "Refund my 900 USD", matches: false, given: {confirmed: true}}
  - id: no-advice
    when: output
    if: 'text.matches("(?i)you should (buy|sell)")'
    then: block
    message: {en: "I give no advice on investments.", zh: "我不提供投资建议。"}
  - id: closed
    if: 'tool == "shop_refund" && (hour < 9 || hour >= 18 || weekday > 5)'
    then: answer
    message: {en: "Refunds are made from 9 to 18.", zh: "退款服务时间为9点至18点。"}
    dry_run: true
"""
DISCLAIMER = """
rules:
  - id: disclaimer
    when: output
    if: 'contains_any(text, ["interest rate", "利率"])'
    then: replace
    message: {en: "{text} This is no offer.", zh: "{text}本内容不构成要约。"}
    severity: low
"""


def rules_of(folder: Path, text: str):
    (folder / "rules.yaml").write_text(text, "utf-8")
    return read_rules(folder / "rules.yaml")


def guard_of(rules, **doors):
    policy = GuardPolicy(**({"input": ("business",), "untrusted": (), "output": ("business",)} | doors))
    return Guard(policy, rules=rules)


def test_rules_decide_before_and_after_the_model(tmp_path):
    guard = guard_of(rules_of(tmp_path, SHOP))
    held = guard.check_input("I want a refund of $1,200.50")
    assert (held.action, held.decisive.category, held.decisive.score) == ("human", "refund-limit", 0.75)
    assert "person" in guard.refusal(held, "en") and "人工" in guard.refusal(held, "zh")
    assert guard.check_input("I want a refund of $1,200.50", About(confirmed=True)).action == "allow"
    refused = guard.check_output("Today you should SELL everything", About(language="zh"))
    assert refused.action == "block" and guard.refusal(refused, "zh").startswith("我不提供投资建议。")
    assert guard.check_output("The shop opens at nine").action == "allow"


def test_a_dry_run_is_logged_only(tmp_path):
    guard = guard_of(rules_of(tmp_path, SHOP.replace("hour < 9", "hour >= 0")))
    result = guard.check_input("{}", About(tool="shop_refund"))
    assert result.action == "log" and result.verdicts[0].detail == "closed (dry run: answer)"


def test_an_answer_waits_where_a_rule_may_stop_it(tmp_path):
    watch = guard_of(rules_of(tmp_path, SHOP)).watch_output()
    assert watch.feed("you should ")[0] == "" and watch.feed("buy it")[0] == ""
    rest, result = watch.finish()
    assert rest == "" and result.action == "block"


def test_a_disclaimer_comes_behind_the_stream(tmp_path):
    guard = guard_of(rules_of(tmp_path, DISCLAIMER))
    whole = guard.check_output("The interest rate is 3 %.")
    assert (whole.action, whole.text) == ("replace", "The interest rate is 3 %. This is no offer.")
    watch = guard.watch_output()
    shown = [watch.feed(piece)[0] for piece in ("The inter", "est rate is 3 %.")]
    assert "".join(shown) == "The interest rate is 3 %." and watch.finish()[0] == " This is no offer."


def test_examples_beside_the_rules_are_tried(tmp_path):
    tried = try_rules(rules_of(tmp_path, SHOP))
    assert [t.passed for t in tried] == [True, True, True]
    wrong = SHOP.replace("a > 500.0", "a > 5000.0")
    assert [t.problem for t in try_rules(rules_of(tmp_path, wrong))][:1] == ["it does not match and must"]
    unknown = SHOP.replace("given: {confirmed: true}", "given: {color: red}")
    assert "color" in try_rules(rules_of(tmp_path, unknown))[2].problem


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("a > 500.0)", "a > )"), "rules.yaml:6: rule 'refund-limit': at character"),
        (("!confirmed'", "!confirmd'"), "undeclared reference to 'confirmd'"),
        (("a > 500.0", 'a > "x"'), "no matching overload"),
        (("then: block", "then: destroy"), "rules.yaml:16"),
        (("id: closed", "id: no-advice"), "two rules of this name"),
        (("Asia/Shanghai", "Mars/Base"), "no zone 'Mars/Base'"),
        (("then: human", "then: answer"), "needs a message"),
        (("'text.matches(", "'1 + size("), "it says int"),
        (("when: input", "when: [input"), "not YAML"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_reason(tmp_path, change, told):
    with pytest.raises(ProjectError) as error:
        rules_of(tmp_path, SHOP.replace(*change))
    assert told in error.value.message


def test_runs_over_lists_are_bounded(tmp_path):
    nested = "amounts.exists(a, amounts.exists(b, amounts.exists(c, amounts.exists(d, a + b + c + d > 1.0))))"
    with pytest.raises(ProjectError, match="runs over lists"):
        rules_of(tmp_path, f"rules:\n  - {{id: slow, if: '{nested}', then: log}}\n")


def test_a_hostile_text_takes_linear_time(tmp_path):
    guard = guard_of(rules_of(tmp_path, "rules:\n  - {id: re, if: 'text.matches(\"(a+)+$\")', then: log}\n"))
    begin = time.process_time()
    for text in ("a" * 1_000_000 + "!", "\ud800" * 1000, "1," * 500_000 + "元", "一" * 500_000):
        assert guard.check_input(text).verdicts[0].ran
    assert time.process_time() - begin < 3


def test_a_rule_that_fails_counts_as_not_run(tmp_path):
    guard = guard_of(rules_of(tmp_path, "rules:\n  - {id: tall, if: 'arguments.height > 3', then: block}\n"))
    verdict = guard.check_input("x").verdicts[0]
    assert (verdict.ran, verdict.action) == (False, "block") and "rule tall" in verdict.detail
    assert guard.check_input("x", About(arguments={"height": 2})).action == "allow"
    assert guard.check_input("x", About(arguments={"height": 4})).action == "block"


def test_a_broken_change_leaves_the_old_rules(tmp_path, caplog):
    live = LiveRules(tmp_path / "rules.yaml", rules_of(tmp_path, SHOP))
    guard = guard_of(live)
    before = guard.check_input("refund 900 USD").decisive.version
    (tmp_path / "rules.yaml").write_text(SHOP.replace("a > 500.0)", "a > )"), "utf-8")
    live._next = 0.0
    assert guard.check_input("refund 900 USD").decisive.version == before
    assert "rules.yaml:6" in live.problem and "stay as they were" in caplog.text
    (tmp_path / "rules.yaml").write_text(SHOP.replace("500.0", "5000.0"), "utf-8")
    live._next = 0.0
    assert guard.check_input("refund 900 USD").action == "allow" and live.problem == ""


def test_without_a_file_the_check_did_not_run():
    assert guard_of(None).check_input("x").action == "block"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1,200.50 and 3k USD", [1200.5, 3000.0]),
        ("退款五百元，另付三万二千元", [500.0, 32000.0]),
        ("1.5万元", [15000.0]),
        ("¥800", [800.0]),
        ("3 apples and 12 pears", []),
        ("RMB 20", [20.0]),
    ],
)
def test_amounts(text, found):
    assert amounts(text) == found
