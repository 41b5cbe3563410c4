"""`luodi rules`"""

from __future__ import annotations

from pathlib import Path

import click

from luodi.cli.context import root_of, show_of

_FILE = "rules.yaml"


@click.group()
def command() -> None:
    """Business rules: what holds before and after the model.

    \b
    Examples:
      luodi rules test
      luodi rules test other-rules.yaml --json
    """


@command.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def test(ctx: click.Context, file: Path | None) -> None:
    """Read the rules, and try the examples that stand beside them.

    Ends with 1 if an example fails, with 2 if the file is broken: its line and the reason are told.
    """
    from luodi.guard.business import read_rules, try_rules

    show = show_of(ctx)
    rules = read_rules(file or root_of(ctx) / _FILE)
    tried = try_rules(rules)
    failed = [t for t in tried if not t.passed]
    untested = [rule.spec.id for rule in rules.all if not rule.spec.tests]
    shown = tried if show.as_json else failed
    show.table(
        [show.say(key) for key in ("rules_rule", "rules_example", "rules_text", "rules_problem")],
        [(t.rule, t.number, t.text[:60], t.problem) for t in shown],
        [
            {"rule": t.rule, "example": t.number, "text": t.text, "expected": t.expected, "passed": t.passed,
             "problem": t.problem}
            for t in shown
        ],
    ) if shown else None  # fmt: skip
    show.line(
        show.say("rules_tried", rules=len(rules.all), passed=len(tried) - len(failed), tried=len(tried)),
        rules=len(rules.all), passed=len(tried) - len(failed), tried=len(tried), untested=untested,
        version=rules.version,
    )  # fmt: skip
    if untested and not show.as_json:
        show.line(show.say("rules_untested", ids=", ".join(untested)))
    if failed:
        ctx.exit(1)
