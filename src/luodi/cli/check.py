"""`luodi check`"""

from __future__ import annotations

import click

from luodi.cli.context import loaded_of, show_of, store_of


@click.command()
@click.option(
    "--schema",
    type=click.Choice(["project", "gates"]),
    help="Print the JSON Schema of luodi.yaml or gates.yaml, for editors.",
)
@click.pass_context
def command(ctx: click.Context, schema: str | None) -> None:
    """Read the project and its rules: every mistake with its line, then what a run would do and why.

    \b
    Examples:
      luodi check
      luodi check --schema project > luodi.schema.json
    """
    if schema:
        from luodi.project import schema as json_schema

        click.echo(json_schema(schema), nl=False)
        return
    from luodi.pipeline import Runner
    from luodi.road import stages

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    rules = loaded.root / loaded.project.guard.rules if loaded.project.guard.rules else None
    if rules is not None and rules.is_file():
        from luodi.guard.business import read_rules

        read_rules(rules)
    show.line(show.say("check_ok", name=loaded.project.name), project=loaded.project.name, mistakes=0)
    for planned in Runner(store, stages(loaded), project=loaded.root, seed=loaded.project.seed).plan():
        text = show.say("will_run" if planned.why else "in_store", stage=planned.stage, why=planned.why)
        show.line(f"  {text}", stage=planned.stage, why=planned.why)
