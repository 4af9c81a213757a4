"""The command line: `python -m config.stack up` and `python -m config.stack env`."""

import argparse
import sys
from pathlib import Path

from config.stack import environment
from config.stack.up import up


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line, understood."""
    parser = argparse.ArgumentParser(prog="script/up", description="Run Stagepass on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start everything; Ctrl-C stops it", prog="script/up")
    start.add_argument("--port", type=int, default=8080, help="web port (%(default)s)")
    start.add_argument("--grpc-port", type=int, default=8765, help="gRPC port (%(default)s)")
    start.add_argument("--with-awx", action="store_true", help="start an imitation of AWX and deploy through it")
    start.add_argument(
        "--with-kafka", action="store_true", help="start an imitation of a Kafka broker and tell it facts"
    )
    start.add_argument("--with-slack", action="store_true", help="start an imitation of Slack with a page to click on")
    start.add_argument("--with-jira", action="store_true", help="start an imitation of Jira with a page to click on")
    show = commands.add_parser("env", help="print the running system's environment as shell commands")
    for command in (start, show):
        command.add_argument(
            "--state", type=Path, default=environment.default_state(), help="where data is kept (%(default)s)"
        )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    options = parse(arguments)
    if options.command == "up":
        return up(options)
    values = environment.read(options.state.absolute())
    if not values:
        print(f"No Stagepass runs in {options.state}. Start it with script/up.", file=sys.stderr)
        return 1
    print(environment.export_lines(values))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
