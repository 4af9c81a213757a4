"""Commands on this machine: exactly one per nonce, followed from outside, stopped with everything they started."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from promotions.deployers import trees
from promotions.deployers.base import DeployerRefused
from promotions.deployers.local import LocalDeployer
from promotions.deployers.runs import MAX_READ, PROJECT
from tests.promotions.deployers.jobs import document, follow, make_job


@pytest.fixture
def deployer(tmp_path) -> LocalDeployer:
    return LocalDeployer(tmp_path / "deployments")


def script(text: str, **options):
    return {"command": ["/bin/sh", "-c", text], **options}


def python(text: str, *arguments: str, **options):
    return {"command": [sys.executable, "-c", text, *arguments], **options}


def left_of(job) -> set[int]:
    return trees.marked(f"STAGEPASS_NONCE={job.nonce}")


def runner_of(deployer, job) -> int:
    place = str(deployer.runs.directory / job.nonce)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "promotions.deployers.runner" in words and place in words:
            return int(entry.name)
    raise AssertionError("there is no runner")


def test_a_command_gets_the_request_and_reports_how_it_went(deployer):
    job = make_job(
        python(
            "import json, os, sys\n"
            "request = json.load(sys.stdin)\n"
            "print(request['metadata']['id'], os.environ['STAGEPASS_TENANT'], os.environ['COLOUR'], sys.argv[1:])\n"
            "print('to stderr', file=sys.stderr)\n"
            "json.dump({'digest': 'abc'}, open(os.environ['STAGEPASS_RESULT'], 'w'))\n",
            "$(id) ; a b",
            environment={"COLOUR": "blue"},
        )
    )
    assert deployer.start(job) == f"local-{job.nonce}"
    progress = follow(deployer, job)
    assert progress.outcome == "succeeded"
    assert progress.log == "PR-2026-0001 tenant-finance blue ['$(id) ; a b']\nto stderr\n"
    assert progress.result == {"digest": "abc", "exitCode": 0}
    assert progress.error == ""


def test_the_request_is_also_in_variables_and_our_secrets_are_not(deployer, monkeypatch):
    monkeypatch.setenv("AWX_TOKEN", "t0psecret")
    job = make_job(script("env"))
    deployer.start(job)
    variables = dict(line.split("=", 1) for line in follow(deployer, job).log.splitlines())
    assert {
        "STAGEPASS_REQUEST_ID": "PR-2026-0001",
        "STAGEPASS_TENANT": "tenant-finance",
        "STAGEPASS_TARGET_TYPE": "api",
        "STAGEPASS_TARGET_NAME": "payment-api",
        "STAGEPASS_VERSION": "2.1.0",
        "STAGEPASS_TARGET_ENVIRONMENT": "prod",
        "STAGEPASS_DEPLOYMENT_ID": "deploy-0123456789ab",
        "STAGEPASS_ATTEMPT": "1",
        "STAGEPASS_NONCE": job.nonce,
        "STAGEPASS_REQUESTED_BY": "devops@example.com",
        "STAGEPASS_APPROVED_BY": "cpi@example.com",
    }.items() <= variables.items()
    assert not {"AWX_TOKEN", "SECRET_KEY", "DATABASE_URL", "BROKER_URL"} & variables.keys()
    assert "t0psecret" not in variables.values()


def test_a_failed_command_says_how_and_with_which_words(deployer):
    job = make_job(script("echo all is lost; exit 3"))
    deployer.start(job)
    progress = follow(deployer, job)
    assert (progress.outcome, progress.result) == ("failed", {"exitCode": 3})
    assert progress.error == "Exit code 3. Its last lines:\nall is lost"


def test_a_command_ended_by_a_signal_says_which(deployer):
    job = make_job(script("kill -9 $$"))
    deployer.start(job)
    progress = follow(deployer, job)
    assert (progress.outcome, progress.error) == ("failed", "Ended by signal 9 (SIGKILL).")


def test_output_streams_while_it_runs_and_continues_at_the_offset(deployer, tmp_path):
    go = tmp_path / "go"
    job = make_job(script(f"printf 'one \\342\\202'; while [ ! -e {go} ]; do sleep 0.05; done; printf '\\254 two'"))
    deployer.start(job)
    first = follow(deployer, job, until=lambda progress: "one" in progress.log)
    assert (first.outcome, first.log, first.log_offset) == ("running", "one ", 4)  # not half of a character
    go.touch()
    rest = follow(deployer, dataclasses.replace(job, log_offset=first.log_offset))
    assert (rest.outcome, rest.log) == ("succeeded", "€ two")


def test_of_a_flood_the_newest_part_is_kept(deployer):
    job = make_job(script(f"head -c {2 * MAX_READ} /dev/zero | tr '\\0' x; echo; echo the end"))
    deployer.start(job)
    follow(deployer, dataclasses.replace(job, log_offset=10**9))
    progress = deployer.poll(job)
    assert progress.log.startswith("\n[")
    assert progress.log.endswith("the end\n")
    assert len(progress.log) < MAX_READ + 100
    assert progress.log_offset == 2 * MAX_READ + 9


@pytest.mark.parametrize("starters", [2, 8])
def test_whoever_starts_the_same_nonce_there_is_one_job(deployer, tmp_path, starters):
    job = make_job(script(f"echo ran >> {tmp_path}/count; sleep 0.3"))
    barrier = threading.Barrier(starters)

    def start():
        barrier.wait()
        deployer.start(job)

    threads = [threading.Thread(target=start) for _ in range(starters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    follow(deployer, job)
    deployer.start(job)
    time.sleep(0.3)
    assert (tmp_path / "count").read_text() == "ran\n"


STARTER = """
import json, os, sys, threading, time
from tests.promotions.deployers.jobs import make_job
from promotions.deployers.local import LocalDeployer
job = make_job(json.loads(sys.argv[2]), nonce=sys.argv[3])
print("ready", flush=True)
LocalDeployer(sys.argv[1]).start(job)
print("started", flush=True)
time.sleep(60)
"""


def start_and_kill(deployer, job, *, after: float | None) -> None:
    """Start the job in a process that is killed `after` seconds into the start, or once it has started."""
    arguments = [str(deployer.runs.directory), json.dumps(job.options), job.nonce]
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout.readline() == "ready\n"
        if after is None:
            assert starter.stdout.readline() == "started\n"
        else:
            time.sleep(after)
        starter.send_signal(signal.SIGKILL)


def test_a_run_outlives_the_process_that_started_it(deployer):
    job = make_job(script("sleep 0.7; echo still here"))
    start_and_kill(deployer, job, after=None)
    assert deployer.poll(job).outcome == "running"
    progress = follow(deployer, job)
    assert (progress.outcome, progress.log) == ("succeeded", "still here\n")


@pytest.mark.parametrize("after", [0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
def test_killed_anywhere_in_the_start_a_second_start_ends_with_one_job(deployer, tmp_path, after):
    job = make_job(script(f"echo ran >> {tmp_path}/count; sleep 0.2"))
    start_and_kill(deployer, job, after=after)
    deployer.start(job)
    assert follow(deployer, job).outcome == "succeeded"
    time.sleep(0.1)
    assert (tmp_path / "count").read_text() == "ran\n"


FAMILY = """
import os, subprocess, sys, time
subprocess.Popen(["setsid", "sleep", "300"])                     # changes its session
subprocess.Popen(["setsid", "--fork", "sleep", "301"])           # and loses its parent
subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], start_new_session=True)  # and is stubborn
subprocess.Popen(["env", "-i", "setsid", "--fork", "sleep", "302"])  # and forgets our mark
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(303)
    os._exit(0)
print("all there", flush=True)
time.sleep(300)
"""


def test_cancel_stops_the_whole_family(deployer):
    job = make_job(python(FAMILY))
    deployer.start(job)
    follow(deployer, job, until=lambda progress: "all there" in progress.log)
    time.sleep(0.2)
    family = trees.descendants(runner_of(deployer, job))
    assert len(family) >= 6
    deployer.cancel(job)
    deployer.cancel(job)
    progress = follow(deployer, job)
    assert (progress.outcome, progress.error) == ("canceled", "It was stopped.")
    assert not left_of(job)
    assert not family & trees.descendants(0)


@pytest.mark.parametrize("ending", ["exit 0", "exit 1"])
def test_nothing_is_left_behind_at_the_end_either(deployer, ending):
    job = make_job(script(f"setsid --fork sleep 300; sleep 0.1; {ending}"))
    deployer.start(job)
    assert follow(deployer, job).outcome in {"succeeded", "failed"}
    assert not left_of(job)


def test_canceled_before_it_was_started_it_never_runs(deployer, tmp_path):
    job = make_job(script(f"touch {tmp_path}/ran"))
    deployer.cancel(job)
    deployer.start(job)
    assert follow(deployer, job).outcome == "canceled"
    assert not (tmp_path / "ran").exists()


def test_an_end_that_came_before_the_cancel_stays(deployer):
    job = make_job(script("echo done"))
    deployer.start(job)
    follow(deployer, job)
    deployer.cancel(job)
    assert deployer.poll(job).outcome == "succeeded"


def test_the_time_limit_holds_without_anybody_watching(deployer):
    job = make_job(script("echo begun; sleep 300"), time_limit=1)
    deployer.start(job)
    progress = follow(deployer, job, timeout=10)
    assert progress.outcome == "failed"
    assert progress.error.startswith("It took longer than its time limit of 1 s.")
    assert not left_of(job)


def test_a_killed_runner_is_told_as_lost_and_its_command_stopped(deployer):
    job = make_job(script("echo begun; setsid sleep 300"))
    deployer.start(job)
    follow(deployer, job, until=lambda progress: "begun" in progress.log)
    os.kill(runner_of(deployer, job), signal.SIGKILL)
    progress = follow(deployer, job)
    assert progress.outcome == "failed"
    assert progress.error.startswith("Lost: its runner died")
    assert not left_of(job)
    deployer.start(job)
    assert deployer.poll(job).outcome == "failed"  # and it is not run a second time


def test_a_runner_that_is_told_to_end_takes_its_command_along(deployer):
    job = make_job(script("echo begun; sleep 300"))
    deployer.start(job)
    follow(deployer, job, until=lambda progress: "begun" in progress.log)
    os.kill(runner_of(deployer, job), signal.SIGTERM)
    assert "told to end" in follow(deployer, job).error
    assert not left_of(job)


def test_a_run_without_record_is_lost(deployer):
    progress = deployer.poll(make_job(script("true"), job_id="local-x"))
    assert (progress.outcome, progress.error[:5]) == ("failed", "Lost:")


def test_a_run_is_private_and_forgotten_after_a_while(deployer):
    job = make_job(script("true"))
    deployer.start(job)
    follow(deployer, job)
    place = deployer.runs.directory / job.nonce
    assert place.stat().st_mode & 0o077 == 0
    old = time.time() - 30 * 24 * 3600
    os.utime(place / "result.json", (old, old))
    deployer.start(make_job(script("true")))
    assert not place.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "not an object"),
        ({}, '"command" must be a list'),
        ({"command": "rm -rf /"}, '"command" must be a list'),
        ({"command": []}, '"command" must be a list'),
        ({"command": ["echo", 1]}, '"command" must be a list'),
        ({"command": ["/bin/echo", "a\0b"]}, "null character"),
        ({"command": [""]}, "must name a program"),
        ({"command": ["no-such-program-anywhere"]}, "no program 'no-such-program-anywhere'"),
        ({"command": ["./deploy.sh"], "directory": "/tmp"}, "no program './deploy.sh'"),
        ({"command": ["true"], "comand": 1}, "'comand' is not known"),
        ({"command": ["true"], "environment": {"A": 1}}, "must be a text"),
        ({"command": ["true"], "environment": ["A"]}, "must be an object"),
        ({"command": ["true"], "environment": {"A=B": "x"}}, "not a variable"),
        ({"command": ["true"], "environment": {"STAGEPASS_NONCE": "x"}}, "not a variable"),
        ({"command": ["true"], "directory": "relative"}, "absolute path"),
        ({"command": ["true"], "directory": "/no/such/folder"}, "absolute path"),
        ({"command": ["true"], "directory": 7}, '"directory" must be a text'),
    ],
)
def test_hostile_and_wrong_options_are_refused_with_the_reason(deployer, options, says):
    with pytest.raises(DeployerRefused, match="options of the deployment target are wrong") as refusal:
        deployer.start(make_job(options))
    assert says in str(refusal.value)
    assert not deployer.runs.directory.exists()


def test_what_a_requester_writes_stays_data(deployer, tmp_path):
    evil = f"x'; touch {tmp_path}/evil; $(touch {tmp_path}/evil) `touch {tmp_path}/evil`"
    job = make_job(script("cat > /dev/null; echo $STAGEPASS_TARGET_NAME"), request=document(name=evil))
    deployer.start(job)
    assert follow(deployer, job).log.startswith("x'; touch")
    assert not (tmp_path / "evil").exists()


def test_a_command_that_vanished_since_is_a_failure(deployer, tmp_path):
    program = tmp_path / "deploy"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    job = make_job({"command": [str(program)]}, nonce=str(uuid.uuid4()))
    deployer.start(job)
    progress = follow(deployer, job)
    assert progress.outcome == "failed"
    assert "cannot be started: Exec format error" in progress.error
