"""The command line: sub-commands (`stamp promote TKT-001`) and the short form (`stamp TKT-001 --promote`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from stamp import __version__
from stamp.errors import Exit, Stop
from stamp.forms import TwoForms

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 log-in or right, 4 unknown, 5 conflict, 6 refused by a policy, "
    "7 server away, 130 interrupted."
)


def complete_ticket(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from stamp.commands.show import known_tickets

    return known_tickets({name: value for name, value in ctx.params.items() if value is not None}, incomplete)


Wrapped = Callable[..., Any]

COMMON = [
    click.option("-a", "--app", "application", metavar="NAME", help="The application."),
    click.option("-s", "--server", metavar="URL", help="The Stagepass server."),
    click.option("--json", is_flag=True, help="Answer in JSON."),
    click.option("--quiet", is_flag=True, help="Say only results and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Say what is asked of the server."),
]
SOURCES = [
    click.option("-f", "--folder", multiple=True, metavar="PATH", help="Watch and upload this (default: src)."),
    click.option("--remote", metavar="NAME", help="The git remote that counts."),
]
DRY = [click.option("-n", "--dry-run", is_flag=True, help="Say what would happen, and do nothing.")]
STAGES = [
    click.option("-d", "--dev", is_flag=True, help="In dev."),
    click.option("-q", "--qa", is_flag=True, help="In qa."),
    click.option("-p", "--prod", is_flag=True, help="In production."),
]
TICKET = [
    click.option("-t", "--ticket", "ticket_option", metavar="TKT", help="The ticket, instead of the first word."),
    click.argument("ticket", required=False, metavar="[TICKET]", shell_complete=complete_ticket),
]
MESSAGE = click.option("-m", "--message", default="", help="Why; approvers and the history show it.")
CHECKS = [click.option("--git-check/--no-git-check", default=None, help="Check this checkout first (default).")]
UPDATING = [
    click.option("--once", is_flag=True, help="Stamp once instead of watching."),
    click.option("--polling", is_flag=True, default=None, help="Watch by looking, for containers and network drives."),
    click.option("--manifest", metavar="FILE", help="Vite's manifest.json or esbuild's metafile: who imports whom."),
]


def options(*groups: list[Wrapped]) -> Wrapped:
    """Several groups of options at once, in this order."""

    def wrap(function: Wrapped) -> Wrapped:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return wrap


def begin(command: str, given: dict[str, Any]) -> Any:
    """The session of a command; from here on failures are told in its way."""
    from stamp.session import Session

    given = dict(given)
    given["ticket"] = given.pop("ticket_option", None) or given.get("ticket")
    session = Session(command, given)
    click.get_current_context().find_root().obj = session.out
    return session


def files_of(given: dict[str, Any], paths: tuple[str, ...]) -> tuple[str, ...]:
    """The files that were named: with --ticket the first word is one of them."""
    word = given.get("ticket")
    return (word, *paths) if given.get("ticket_option") and word else paths


@click.group(cls=TwoForms, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stamp")
def stamp() -> None:
    """Bring a ticket's modules into the live application, to QA, to production, and back."""


@stamp.command()
@options(TICKET, [click.argument("paths", nargs=-1, metavar="[FILE]...")], SOURCES, UPDATING, DRY, COMMON)
def update(paths: tuple[str, ...], once: bool, **given: Any) -> None:
    """Stamp the sources, then watch them; with FILEs only those, once."""
    from stamp.commands.update import run

    run(begin("update", given), files_of(given, paths), once=once)


@stamp.command("list")
@options(TICKET, STAGES, [click.option("--all", "every", is_flag=True, help="In any stage.")], COMMON)
def list_(every: bool, **given: Any) -> None:
    """List tickets, those in qa and production unless stages are named."""
    from stamp.commands.show import list_stamps

    list_stamps(begin("list", given), every=every)


@stamp.command()
@options(TICKET, STAGES, COMMON)
def status(**given: Any) -> None:
    """Show a ticket: stage, modules, conflicts, sign-off, addresses."""
    from stamp.commands.show import status as show

    show(begin("status", given))


@stamp.command()
@options(TICKET, [click.argument("paths", nargs=-1, metavar="[FILE]...")], COMMON)
def diff(paths: tuple[str, ...], **given: Any) -> None:
    """Show a ticket's modules beside production's."""
    from stamp.commands.show import diff as show

    show(begin("diff", given), files_of(given, paths))


@stamp.command()
@options(TICKET, STAGES, [MESSAGE], CHECKS, SOURCES, DRY, COMMON)
def promote(message: str, **given: Any) -> None:
    """Bring a ticket to the next stage: dev, qa, production."""
    from stamp.commands.move import promote as move

    move(begin("promote", given), message)


@stamp.command()
@options(TICKET, [MESSAGE], STAGES, DRY, COMMON)
def approve(message: str, **given: Any) -> None:
    """Approve the promotion that waits for a sign-off."""
    from stamp.commands.move import approve as move

    move(begin("approve", given), message)


@stamp.command()
@options(TICKET, [MESSAGE], STAGES, DRY, COMMON)
def revert(message: str, **given: Any) -> None:
    """Take a ticket back by one stage, out of production at once."""
    from stamp.commands.move import revert as move

    move(begin("revert", given), message)


@stamp.command()
@options(TICKET, [MESSAGE], STAGES, DRY, COMMON)
def close(message: str, **given: Any) -> None:
    """Close a ticket; its modules are kept."""
    from stamp.commands.move import close as move

    move(begin("close", given), message)


@stamp.command()
@options(TICKET, STAGES, DRY, COMMON)
def reopen(**given: Any) -> None:
    """Open a closed ticket again, with what it had."""
    from stamp.commands.move import reopen as move

    move(begin("reopen", given))


@stamp.command()
@options(
    TICKET,
    [
        click.option("--mine", multiple=True, metavar="PATH", help="Keep the ticket's version of this module."),
        click.option("--theirs", multiple=True, metavar="PATH", help="Take production's version of this module."),
    ],
    STAGES,
    DRY,
    COMMON,
)
def rebase(mine: tuple[str, ...], theirs: tuple[str, ...], **given: Any) -> None:
    """Put a ticket onto the newest production."""
    from stamp.commands.move import rebase as move

    move(begin("rebase", given), mine, theirs)


@stamp.command("open")
@options(
    TICKET,
    STAGES,
    [
        click.option("--panel", is_flag=True, help="The control panel instead of the preview."),
        click.option("--print", "only_print", is_flag=True, help="Only say the address."),
        click.option(
            "--share", type=click.IntRange(0), default=0, metavar="HOURS", help="Say a link that needs no account."
        ),
    ],
    COMMON,
)
def open_(panel: bool, only_print: bool, share: int, **given: Any) -> None:
    """Open a ticket's preview in the browser."""
    from stamp.commands.show import open_page

    open_page(begin("open", given), panel=panel, only_print=only_print, share=share)


@stamp.command()
@options(
    [
        click.option("-o", "--output", default="", metavar="FILE", help="Write it there instead of printing it."),
        click.option("--check", "checks", multiple=True, metavar="NAME=passed", help="A check that ran on this build."),
    ],
    SOURCES,
    COMMON,
)
def manifest(output: str, checks: tuple[str, ...], **given: Any) -> None:
    """Write down what was built from this commit, to be signed."""
    from stamp.commands.signing import manifest as write

    write(begin("manifest", given), output, checks)


@stamp.command()
@options(
    [
        click.argument("path", metavar="MANIFEST"),
        click.argument("signature", required=False, default="", metavar="[SIGNATURE]"),
    ],
    DRY,
    COMMON,
)
def attest(path: str, signature: str, **given: Any) -> None:
    """Hand in a signed manifest (its signature: MANIFEST.sig)."""
    from stamp.commands.signing import attest as hand_in

    hand_in(begin("attest", given), path, signature)


@stamp.command()
@options(
    [
        click.option("--with-token", is_flag=True, help="Take a token from the keyboard or from stdin."),
        click.option("--browser/--no-browser", default=True, help="Open the browser, or only say the address."),
    ],
    COMMON,
)
def login(with_token: bool, browser: bool, **given: Any) -> None:
    """Log in, in the browser or with a token."""
    from stamp.commands.account import login as enter

    enter(begin("login", given), paste=with_token, browser=browser)


@stamp.command()
@options(COMMON)
def logout(**given: Any) -> None:
    """Forget the token of a server."""
    from stamp.commands.account import logout as leave

    leave(begin("logout", given))


@stamp.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(stamp, {}, "stamp", "_STAMP_COMPLETE").source())


@stamp.command(hidden=True, epilog=EXIT_CODES)
@options(
    TICKET,
    [
        click.argument("paths", nargs=-1, metavar="[FILE]..."),
        click.option("-l", "--list", "list_", is_flag=True, help="List ticket entries (default: --qa --prod)."),
        click.option("-u", "--update", "update_", is_flag=True, help="Update modules; watches unless FILEs are named."),
    ],
    SOURCES,
    STAGES,
    [
        click.option("--promote", "promote_", is_flag=True, help="Promote a ticket to the next stage."),
        click.option("--revert", "revert_", is_flag=True, help="Revert a ticket to the previous stage."),
        click.option("--close", "close_", is_flag=True, help="Close a ticket."),
        MESSAGE,
    ],
    CHECKS,
    UPDATING,
    DRY,
    COMMON,
)
def short(  # noqa: PLR0917
    paths: tuple[str, ...], list_: bool, update_: bool, promote_: bool, revert_: bool, close_: bool, message: str,
    once: bool, **given: Any,
) -> None:  # fmt: skip
    """One ticket: update, list, promote, revert or close it; without any of these, show it."""
    paths = files_of(given, paths)
    moves = [name for name, on in (("promote", promote_), ("revert", revert_), ("close", close_)) if on]
    if len(moves) > 1:
        raise click.UsageError(f"--{' and --'.join(moves)} exclude each other.")
    if paths and not update_:
        raise click.UsageError(f"“{paths[0]}”: only --update takes files.")
    from stamp.commands import move, show
    from stamp.commands import update as updating

    if update_:  # before a move it is stamped once: watching would never come to the move
        updating.run(begin("update", given), paths, once=once or bool(moves))
    for name in moves:
        session = begin(name, given)
        getattr(move, name)(session, message)
    if list_:
        show.list_stamps(begin("list", given), every=False)
    elif not (update_ or moves):
        show.status(begin("status", given))


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command; the process ends with one of the documented exit codes."""
    stamp._main_shell_completion({}, "stamp")  # ends the process when the shell asks
    context_out = None
    try:
        with stamp.make_context("stamp", list(sys.argv[1:] if args is None else args)) as ctx:
            try:
                stamp.invoke(ctx)
            finally:
                context_out = ctx.obj
        code = int(Exit.DONE)
    except Stop as stopped:
        _mouth(context_out).stop(stopped)
        code = int(stopped.exit)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as wrong:
        if isinstance(wrong, click.UsageError) and wrong.ctx and wrong.ctx.info_name == "short":
            wrong.ctx = wrong.ctx.parent  # nobody typed that word
        wrong.show()
        code = wrong.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        code = int(Exit.INTERRUPTED)
    except BrokenPipeError:
        code = int(Exit.FAILED)
    sys.exit(code)


def _mouth(out: Any) -> Any:
    from stamp.out import Out

    return out or Out(json="--json" in sys.argv)
