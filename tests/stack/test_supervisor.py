"""The supervisor: restarts what dies, stops in order, and leaves nothing behind when it is killed itself."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.stack import processes
from config.stack.processes import StackError
from config.stack.supervisor import Program, Supervisor

ROOT = Path(__file__).parents[2]
SLEEPER = "import time\nwhile True: time.sleep(0.05)"


def python(source: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-c", textwrap.dedent(source)]


def note_its_end(path: Path, name: str, seconds: float = 0.0) -> str:
    """A program that writes its name when it is asked to stop, after some time."""
    return f"""
        import signal, sys, time
        def end(*_):
            time.sleep({seconds})
            open({str(path)!r}, "a").write("{name}\\n")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        while True: time.sleep(0.02)
    """


class Told(list[str]):
    def has(self, text: str) -> bool:
        return any(text in line for line in self)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervisor(tmp_path: Path, told: Told) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "state", directory=tmp_path, say=told.append)
    yield supervisor
    supervisor.stop_requests = 0
    supervisor.stop()


def watch_until(supervisor: Supervisor, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
    """Watch as the real loop does, until the condition holds."""
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        for entry in supervisor.running.values():
            supervisor._look_after(entry)
        time.sleep(0.02)
    return condition()


def pid_of(supervisor: Supervisor, name: str) -> int:
    process = supervisor.running[name].process
    return process.pid if process else 0


def ready(supervisor: Supervisor, *names: str) -> bool:
    return processes.wait_until(lambda: all("ready" in supervisor.tail(name) for name in names), timeout=10)


def test_a_killed_process_is_started_again_and_that_is_told(supervisor: Supervisor, told: Told) -> None:
    supervisor.start(Program("sleeper", python(SLEEPER), 1))
    first = pid_of(supervisor, "sleeper")
    os.kill(first, signal.SIGKILL)
    assert watch_until(supervisor, lambda: pid_of(supervisor, "sleeper") not in {0, first})
    assert told.has("sleeper was killed (SIGKILL)")
    assert told.has("sleeper runs again")


def test_a_process_that_dies_at_once_is_started_ever_more_slowly(supervisor: Supervisor, told: Told) -> None:
    supervisor.start(Program("broken", python("raise SystemExit('no such table')"), 1))
    assert watch_until(supervisor, lambda: len([line for line in told if "ended with exit code 1" in line]) >= 3)
    pauses = [line.rpartition(" in ")[2] for line in told if "exit code 1" in line]
    assert pauses[:3] == ["0.2 s", "0.4 s", "0.8 s"]
    assert told.has("broken | no such table")


def test_children_of_a_dead_process_go_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    source = f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
        open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
        time.sleep(60)
    """
    supervisor.start(Program("parent", python(source), 1))
    path = tmp_path / "child"
    assert processes.wait_until(lambda: path.exists() and path.read_text().isdigit(), timeout=10)
    first, child = pid_of(supervisor, "parent"), int(path.read_text())
    os.kill(first, signal.SIGKILL)
    assert watch_until(supervisor, lambda: pid_of(supervisor, "parent") not in {0, first})
    assert processes.wait_until(lambda: not processes.alive(child), timeout=2)


def test_the_highest_stage_stops_first_and_the_next_one_waits_for_it(supervisor: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for stage, (name, seconds) in enumerate([("server", 0.0), ("worker", 0.3), ("web", 0.6)]):
        supervisor.start(Program(name, python(note_its_end(ends, name, seconds)), stage))
    assert ready(supervisor, "server", "worker", "web")
    supervisor.stop()
    assert ends.read_text().split() == ["web", "worker", "server"]


def test_a_process_that_ignores_the_stop_is_killed(supervisor: Supervisor, told: Told) -> None:
    source = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    supervisor.start(Program("deaf", python(source), 1, patience=0.3))
    assert ready(supervisor, "deaf")
    pid = pid_of(supervisor, "deaf")
    supervisor.stop()
    assert not processes.alive(pid)
    assert told.has("deaf did not stop in time and was killed")


def test_a_failed_step_says_how_it_ended_and_why(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match=r"migrate ended with exit code 3.*\n.*\n?.*relation exists"):
        supervisor.run_once(Program("migrate", python("print('relation exists', flush=True); raise SystemExit(3)"), 1))


def test_a_step_that_succeeds_is_not_kept_running(supervisor: Supervisor) -> None:
    supervisor.run_once(Program("migrate", python("print('done')"), 1))
    assert supervisor.running == {}


def test_errors_in_a_log_are_shown_and_the_rest_is_not(supervisor: Supervisor, told: Told) -> None:
    source = "import time\nprint('INFO fine\\nERROR broker gone', flush=True)\ntime.sleep(60)"
    supervisor.start(Program("worker", python(source), 1))
    assert watch_until(supervisor, lambda: told.has("worker | ERROR broker gone"))
    assert not told.has("fine")


SUPERVISED = f"""
import sys
from pathlib import Path
from config.stack.supervisor import Program, Supervisor
supervisor = Supervisor(Path(sys.argv[1]), directory=Path(sys.argv[1]))
supervisor.listen()
for name in ("one", "two"):
    supervisor.start(Program(name, lambda: [sys.executable, "-c", {SLEEPER!r}], 1))
print(*(entry.process.pid for entry in supervisor.running.values()), flush=True)
supervisor.watch()
supervisor.stop()
"""


def supervised(state: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, str(state)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    return process, [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_wish_to_stop_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    process, children = supervised(tmp_path)
    assert len(children) == 2
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not [pid for pid in children if processes.alive(pid)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux does this")
def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    process, children = supervised(tmp_path)
    assert len(children) == 2
    process.kill()
    process.wait()
    assert processes.wait_until(lambda: not [pid for pid in children if processes.alive(pid)], timeout=5)


def test_a_process_that_outlived_a_killed_supervisor_is_stopped_at_the_next_start(tmp_path: Path, told: Told) -> None:
    first = Supervisor(tmp_path, directory=tmp_path)
    first.start(Program("survivor", python(SLEEPER), 1))
    pid = pid_of(first, "survivor")
    Supervisor(tmp_path, directory=tmp_path, say=told.append).clear_leftovers()
    assert first.running["survivor"].process
    assert first.running["survivor"].process.wait(5) == -signal.SIGTERM
    assert told == [f"Stopped survivor (process {pid}), left by an earlier start"]


def test_a_stranger_with_a_listed_process_id_is_left_alone(tmp_path: Path, told: Told) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "processes.json").write_text(
        f'[{{"name": "web", "pid": {os.getpid()}, "birth": "1", "stage": 1}}]'
    )
    Supervisor(tmp_path, directory=tmp_path, say=told.append).clear_leftovers()
    assert not told
