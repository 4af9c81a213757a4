"""The two forms of a command line: `verb TICKET …` and `TICKET --verb …`."""

from __future__ import annotations

from typing import Any

import click

VALUE_OPTIONS = {
    "-t",
    "--ticket",
    "-f",
    "--folder",
    "-a",
    "--app",
    "-s",
    "--server",
    "-m",
    "--message",
    "--remote",
    "--manifest",
}


class TwoForms(click.Group):
    """Takes `verb TICKET ...` and `TICKET --verb ...`; options before the verb count for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not (len(args) == 1 and args[0] in {"-h", "--help", "--version"}):
            place = first_word(args)
            if place is None or args[place] not in self.commands:
                args = ["short", *args]
            else:
                args = [args[place], *args[:place], *args[place + 1 :]]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Verbs and options; a first word that begins like neither is a ticket."""
        found = super().shell_complete(ctx, incomplete)
        if found or not incomplete or incomplete.startswith("-"):
            return found
        from click.shell_completion import CompletionItem

        from stamp.commands.show import known_tickets

        return [CompletionItem(ticket) for ticket in known_tickets({}, incomplete)]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("stamp", "VERB [TICKET] [OPTIONS]")
        formatter.write_usage("stamp", "[TICKET] [--update | --list | --promote | --revert | --close] [OPTIONS]")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [each for each in self.commands["short"].params if isinstance(each, click.Option)]
        rows = [option.get_help_record(ctx) for option in options]
        with formatter.section("Short form, with or without a ticket first"):
            formatter.write_dl([row for row in rows if row])
        super().format_epilog(ctx, formatter)


def first_word(args: list[str]) -> int | None:
    """Where the first argument stands that is neither an option nor an option's value."""
    skip = False
    for number, arg in enumerate(args):
        if skip:
            skip = False
        elif arg in VALUE_OPTIONS:
            skip = True
        elif not arg.startswith("-"):
            return number
    return None
