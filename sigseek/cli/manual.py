"""`sigseek help`, which people type for `sigseek --help`."""

import click


@click.command("help")
@click.argument("name", required=False, metavar="[COMMAND]")
@click.pass_context
def manual(context: click.Context, name: str | None) -> None:
    """Show the help of sigseek or of one of its commands."""
    program = context.parent
    assert program is not None
    assert isinstance(program.command, click.Group)
    if name is None:
        click.echo(program.get_help())
        return
    _, command, _ = program.command.resolve_command(program, [name])
    assert command is not None
    click.echo(click.Context(command, program, name).get_help())
