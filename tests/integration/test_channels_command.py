"""`churnwatch channels test`, as an operator runs it."""

from __future__ import annotations

import json

from streams.runtime.channels import trial
from tests.support.alertmanager import RunningAlertmanager
from tests.support.receiver import Receiver
from tests.support.workers import run_command


def settings(**channels: str) -> dict[str, str]:
    return {f"CHURNWATCH_CHANNELS__{name.upper()}": value for name, value in channels.items()}


def test_each_receiver_gets_one_message_that_says_what_it_is(own_alertmanager: RunningAlertmanager, hook: Receiver) -> None:
    given = settings(alertmanager=own_alertmanager.url, apprise=json.dumps({"chat": hook.url("/t0ken1234", "json")}))
    done = run_command(["channels", "test", "--json"], given)
    assert done.returncode == 0, done.stderr
    assert [(found["subject"], found["status"]) for found in json.loads(done.stdout)] == [("alertmanager", "ok"), ("chat", "ok")]
    (request,) = [request for request in hook.requests if request.path != "/page"]
    assert "This is a test of churnwatch's channel chat" in request.json["message"]
    (alert,) = own_alertmanager.alerts()
    assert alert["labels"]["alertname"] == "ChurnDigest"


def test_what_does_not_take_it_is_told_without_its_address(hook: Receiver) -> None:
    hook.status = 503
    given = settings(apprise=json.dumps({"chat": hook.url("/t0ken1234", "json"), "ding": "dingtalk://t0ken1234"}))
    done = run_command(["channels", "test", "chat", "nobody", "--json"], given)
    assert done.returncode == 1
    assert [(found["subject"], found["status"], found["what"]) for found in json.loads(done.stdout)] == [
        ("chat", "error", "not delivered: Apprise could not send it"),
        ("nobody", "error", "there is no channel of that name"),
    ]
    assert "t0ken1234" not in done.stdout + done.stderr


def test_without_channels_it_says_how_to_have_some() -> None:
    done = run_command(["channels", "test"], {})
    assert done.returncode == 0
    assert "channels.apprise" in done.stdout


def test_two_trials_are_two_messages() -> None:
    assert trial("a", 1).digest_id != trial("a", 2).digest_id
