"""Mail through a real server that refuses, stalls and hangs up: nobody waits for another's trouble, nothing is lost."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading

import pytest
from django.db import connection

from core.clock import now
from events import channel_health, outbox
from events.models import ChannelHealth, Delivery
from tests.fakes.mail_server import MailServer


@pytest.fixture
def server(settings):
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 0.5
        yield server


@pytest.fixture
def three(cpi, other_cpi, cpi_admin, make_request):
    """A request that three people are told of."""
    promotion = make_request()
    outbox.route_facts()
    return promotion


def deliver_again() -> None:
    Delivery.objects.filter(state="queued").update(next_at=now() - dt.timedelta(seconds=1))
    outbox.deliver_channel("email")


def states() -> dict[str, str]:
    rows = Delivery.objects.filter(channel="email").values_list("recipient", "state")
    return {recipient.removesuffix("@example.com"): state for recipient, state in rows}


def test_one_mail_for_each_and_a_permanent_refusal_stops_nobody_else(server, three):
    server.behaviour["other_cpi@example.com"] = "refuse"
    outbox.deliver_channel("email")
    assert states() == {"cpi": "done", "cpi_admin": "done", "other_cpi": "dead"}
    deliver_again()
    assert [to for to, _ in server.accepted] == ["cpi@example.com", "cpi_admin@example.com"]
    dead = Delivery.objects.get(state="dead")
    assert (dead.attempts, dead.last_error) == (1, "The mail server refused it for good: 550 5.1.1 No such user")


def test_a_temporary_refusal_is_tried_again_with_the_same_id(server, three):
    server.behaviour["other_cpi@example.com"] = "later"
    outbox.deliver_channel("email")
    waiting = Delivery.objects.get(channel="email", state="queued")
    assert "451 4.7.1 Greylisted" in waiting.last_error
    assert waiting.next_at > now()
    server.behaviour.clear()
    deliver_again()
    assert set(states().values()) == {"done"}
    assert len(server.ids("other_cpi@example.com")) == 1


def test_a_server_that_hangs_up_after_the_message_gets_it_again_under_the_same_id(server, three):
    server.behaviour["cpi@example.com"] = "drop"
    outbox.deliver_channel("email")
    server.behaviour.clear()
    deliver_again()
    assert set(states().values()) == {"done"}
    first, second = server.ids("cpi@example.com")
    assert first == second
    assert Delivery.objects.get(recipient="cpi@example.com").attempts == 2


def test_one_address_that_hangs_does_not_keep_the_others_waiting(server, three):
    server.behaviour["cpi@example.com"] = "hang"
    outbox.deliver_channel("email")
    outbox.deliver_channel("email")
    assert states() == {"cpi": "queued", "cpi_admin": "done", "other_cpi": "done"}
    assert "timed out" in Delivery.objects.get(recipient="cpi@example.com").last_error


def test_a_dead_server_lets_the_channel_rest_and_one_worker_tries_it_again(settings, three):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    for _ in range(channel_health.PATIENCE):
        deliver_again()
    attempts = sum(Delivery.objects.filter(channel="email").values_list("attempts", flat=True))
    assert attempts == channel_health.PATIENCE
    deliver_again()
    assert sum(Delivery.objects.filter(channel="email").values_list("attempts", flat=True)) == attempts, "it rests"

    ChannelHealth.objects.update(rests_until=now() - dt.timedelta(seconds=1))
    assert [channel_health.may_try("email") for _ in range(3)] == [True, False, False]

    ChannelHealth.objects.update(rests_until=now() - dt.timedelta(seconds=1))
    with MailServer() as server:
        settings.EMAIL_PORT = server.port
        deliver_again()
    assert set(states().values()) == {"done"}
    assert ChannelHealth.objects.values_list("failures", "rests_until").get() == (0, None)


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_the_server_took_the_mail_is_followed_by_the_same_mail(server, three, settings):
    """The process really dies by SIGKILL, between the server's answer and our note of it."""
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {
        "DATABASE_URL": url,
        "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
        "FAILPOINT": "after_smtp_data:kill",
        "STAGEPASS_URL": settings.SITE_URL,
    }
    script = "import django; django.setup(); from events import outbox; outbox.deliver_channel('email')"
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert killed.returncode == -9
    assert len(server.accepted) == 1
    address = server.accepted[0][0]
    assert Delivery.objects.get(recipient=address).state == "sending"

    Delivery.objects.filter(state="sending").update(lease_until=now() - dt.timedelta(seconds=1))
    outbox.deliver_channel("email")
    assert set(states().values()) == {"done"}
    first, second = server.ids(address)
    assert first == second
    assert Delivery.objects.get(recipient=address).attempts == 2
    assert len(server.accepted) == 4


@pytest.mark.django_db(transaction=True)
def test_after_a_rest_only_one_of_many_workers_tries():
    ChannelHealth.objects.create(channel="email", failures=5, rests_until=now() - dt.timedelta(seconds=1))
    gate, answers = threading.Barrier(8), []

    def ask() -> None:
        ChannelHealth.objects.count()  # connect first, so that all ask at the same moment
        gate.wait()
        answers.append(channel_health.may_try("email"))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_a_slow_server_is_waited_for(server, three, settings):
    settings.EMAIL_TIMEOUT = 5
    server.behaviour["cpi@example.com"] = "slow"
    assert outbox.deliver_channel("email") == 3
    assert server.connections == 1, "one connection for the batch"


def test_a_server_that_has_enough_and_hangs_up_gets_the_others_over_a_new_connection(server, three):
    server.behaviour["cpi@example.com"] = "bye"
    outbox.deliver_channel("email")
    assert states() == {"cpi": "queued", "cpi_admin": "done", "other_cpi": "done"}
    server.behaviour.clear()
    deliver_again()
    assert set(states().values()) == {"done"}
    assert len(server.accepted) == 3


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_before_a_batch_is_on_record_repeats_all_of_it_under_the_same_ids(server, three, settings):
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {
        "DATABASE_URL": url, "EMAIL_URL": f"smtp://127.0.0.1:{server.port}", "FAILPOINT": "before_delivery_done:kill",
        "STAGEPASS_URL": settings.SITE_URL,
    }  # fmt: skip
    script = (
        "import django; django.setup(); from events import attempts, outbox; attempts.SETTLE_SECONDS = 60\n"
        "outbox.deliver_channel('email')"
    )
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert (killed.returncode, len(server.accepted)) == (-9, 3)
    Delivery.objects.filter(state="sending").update(lease_until=now() - dt.timedelta(seconds=1))
    outbox.deliver_channel("email")
    assert set(states().values()) == {"done"}
    assert len(server.accepted) == 6
    assert len({str(message["Message-ID"]) for _, message in server.accepted}) == 3
