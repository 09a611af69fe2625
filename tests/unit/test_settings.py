"""Settings: what is accepted, what is refused and in which words, and that no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from detectors.learner_rules import LearnerRules
from streams.runtime.rights_docs import rewritten
from streams.runtime.rules import engine_rules, learner_rules, outcome_rules
from streams.runtime.settings import Settings, SettingsError, load_settings, load_settings_file, variable_names
from streams.runtime.settings_docs import settings_markdown
from streams.runtime.settings_sections import PolicySettings

REPO = Path(__file__).parents[2]


def problems(text: str | None, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(text, env or {}, name="cw.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_nothing_given_is_the_defaults_whatever_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURNWATCH_POLICY__WATCH", "0.6")
    monkeypatch.setenv("CHURNWATCH_BOGUS", "1")
    assert load_settings(None, {}) == load_settings("", {}) == Settings()
    assert Settings().policy.watch == 0.5


def test_the_environment_wins_over_the_file_and_the_file_over_defaults() -> None:
    text = "kafka:\n  group: from-file\n  partitions: 8\npolicy: {watch: 0.4}\n"
    got = load_settings(text, {"CHURNWATCH_KAFKA__GROUP": "from-env", "churnwatch_http__port": "0", "PATH": "x"})
    assert (got.kafka.group, got.kafka.partitions, got.policy.watch, got.http.port) == ("from-env", 8, 0.4, 0)


def test_every_setting_can_be_given_by_its_variable() -> None:
    env = {
        "CHURNWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "CHURNWATCH_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "CHURNWATCH_KAFKA__USERNAME": "u",
        "CHURNWATCH_KAFKA__PASSWORD": "p",
        "CHURNWATCH_KAFKA__CA_FILE": "ca.pem",
        "CHURNWATCH_REDIS__SENTINELS": "a:26379, [::1]:26380",
        "CHURNWATCH_REDIS__SENTINEL_USERNAME": "watcher",
        "CHURNWATCH_REDIS__SENTINEL_PASSWORD": "s3cret",
        "CHURNWATCH_KAFKA__CERT_FILE": "cert.pem",
        "CHURNWATCH_KAFKA__KEY_FILE": "key.pem",
        "CHURNWATCH_KAFKA__KEY_PASSWORD": "p",
        "CHURNWATCH_REDIS__URL": "rediss://h",
        "CHURNWATCH_REDIS__CA_FILE": "ca.pem",
        "CHURNWATCH_REDIS__CERT_FILE": "cert.pem",
        "CHURNWATCH_REDIS__KEY_FILE": "key.pem",
        "CHURNWATCH_MONEY__RATES": '{"USD": 1, "EUR": 1.25}',
        "CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S": "60",
        "CHURNWATCH_RISK__PARAMETERS_FILE": "p.json",
        "CHURNWATCH_CHANNELS__ALERTMANAGER": "http://a:9093,https://u:p@b",
        "CHURNWATCH_ERASURE__KEY": "sixteen letters!",
        "CHURNWATCH_RETENTION__INACTIVE_DAYS": "900",
        "CHURNWATCH_ERASURE__FORGET_AFTER_DAYS": "400",
        "CHURNWATCH_CHANNELS__APPRISE": '{"sales": "json://h/x"}',
    }
    plain = Settings().model_dump(mode="json")
    for variable, (section, field) in variable_names().items():
        if variable not in env and field not in ("url", "cluster_nodes"):  # no cluster with sentinels
            env[variable] = str(plain[section][field])
    got = load_settings(None, env)
    assert got.money.rates == {"USD": 1.0, "EUR": 1.25}
    assert got.kafka.password is not None
    assert got.kafka.password.get_secret_value() == "p"
    assert got.time.heartbeat_timeout_s == 60
    assert got.redis.sentinel_addresses() == (("a", 26379), ("::1", 26380))
    assert "s3cret" in got.secret_values()
    assert "s3cret" not in str(got.masked())
    assert got.channels.names() == ("alertmanager", "sales")


def test_an_empty_variable_and_an_empty_section_count_as_absent() -> None:
    assert load_settings("kafka:\n", {"CHURNWATCH_KAFKA__PASSWORD": "", "CHURNWATCH_POLICY__WATCH": ""}) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("polcy: {watch: 0.4}", "polcy (cw.yaml): is not a setting; did you mean policy?"),
        ("policy: {wach: 0.4}", "policy.wach (cw.yaml): is not a setting; did you mean watch?"),
        ("policy: 3", "policy (cw.yaml): should be a section: a mapping of its settings"),
        ("- a", "cw.yaml: should be a mapping of sections"),
        ("a: [", "cw.yaml, line 1: is not valid YAML"),
        ("kafka:\n  group: a\n  group: b\n", "cw.yaml, line 3: is not valid YAML: key 'group' is there twice"),
        ("time: {lateness_s: 604801}", "time.lateness_s (cw.yaml) = 604801: should be less than or equal to 604800"),
        ("time: {lateness_s: -1}", "time.lateness_s (cw.yaml) = -1: should be greater than or equal to 0"),
        ("risk: {silence_patience: .nan}", "risk.silence_patience (cw.yaml) = nan: should be a finite number"),
        ("policy: {watch: 0.8}", "policy.high (cw.yaml): should be above policy.watch (0.8)"),
        ("policy: {high: 0.9}", "policy.critical (cw.yaml): should be above policy.high (0.9)"),
        ("policy: {high: 0.50004}", "policy.high (cw.yaml): should be above policy.watch (0.5)"),
        ("policy: {watch: 0.00001, release_margin: 0}", "policy.watch (cw.yaml): should be above 0"),
        ("policy: {watch: 0.05}", "policy.release_margin (cw.yaml): should be below policy.watch (0.05)"),
        ("looks: {min_s: 100, max_s: 99}", "looks.max_s (cw.yaml): should be at least looks.min_s (100)"),
        ("money: {base_currency: EUR}", "money.rates (cw.yaml): should give the base currency EUR the rate 1"),
        ("money: {rates: {USD: 1, EUR: 0}}", "money.rates (cw.yaml) = 0: EUR should be greater than 0"),
        ("money: {rates: {USD: 1, eur: 1}}", "money.rates (cw.yaml) = 'eur': eur should match pattern"),
        ("kafka: {bootstrap: localhost}", "kafka.bootstrap (cw.yaml) = 'localhost': should be host:port"),
        ("kafka: {username: u}", "kafka.username (cw.yaml): would not be used: set kafka.security_protocol"),
        ("kafka: {ca_file: x}", "kafka.ca_file (cw.yaml): would not be used"),
        ("kafka: {key_password: x}", "kafka.key_password (cw.yaml): would not be used: set kafka.security_protocol"),
        ("kafka: {security_protocol: SSL, key_file: x}", "kafka.key_file (cw.yaml): would not be used: set kafka.cert_file"),
        ("redis: {ca_file: x}", "redis.ca_file (cw.yaml): would not be used: begin redis.url with rediss://"),
        ("redis: {url: 'rediss://h', key_file: x}", "redis.key_file (cw.yaml): would not be used: set redis.cert_file"),
        ("kafka: {partitions: true}", "kafka.partitions (cw.yaml) = True: should not be true or false"),
        ("redis: {cluster: true, url: 'unix:///s'}", "redis.cluster (cw.yaml): needs redis://"),
        ("redis: {cluster: true, url: 'redis://h/3'}", "redis.cluster (cw.yaml): has database 0 only"),
        ("redis: {cluster_nodes: 'h:1'}", "redis.cluster_nodes (cw.yaml): would not be used: set redis.cluster to true"),
        ("redis: {sentinels: 'h'}", "redis.sentinels (cw.yaml) = 'h': should be host:port"),
        ("redis: {sentinels: 'h:1', cluster: true}", "redis.sentinels (cw.yaml): are not for a cluster"),
        ("redis: {sentinels: 'h:1', url: 'unix:///s'}", "redis.sentinels (cw.yaml): need redis:// or rediss://"),
        ("redis: {sentinel_password: p}", "redis.sentinel_password (cw.yaml): would not be used: set redis.sentinels"),
        ("redis: {sentinels: 'h:1', sentinel_username: u}", "redis.sentinel_password (cw.yaml): is needed with"),
        ("redis: {prefix: 'a{b}'}", "redis.prefix (cw.yaml) = 'a{b}': should match pattern"),
        ("channels: {alertmanager: 'am:9093'}", "channels.alertmanager (cw.yaml) = ***: should be http://HOST:PORT"),
        ("channels: {alertmanager: 'http://a,'}", "channels.alertmanager (cw.yaml) = ***: should be http://HOST:PORT"),
        ("channels: {alertmanager: [1]}", "channels.alertmanager (cw.yaml) = ***: should be a valid string"),
        ("channels: {apprise: {sales: 'nope://x'}}", "channels.apprise (cw.yaml): sales: is not an address that Apprise knows"),
        ("channels: {apprise: {sales: 3}}", "channels.apprise (cw.yaml) = ***: sales should be a valid string"),
        ("channels: {apprise: {Sales: 'json://h'}}", "channels.apprise (cw.yaml) = ***: Sales should match pattern"),
        ("channels: {apprise: {alertmanager: 'json://h'}}", "channels.apprise (cw.yaml): should not use the name alertmanager"),
        ("channels: {least_tier: none}", "channels.least_tier (cw.yaml) = 'none': should be 'watch', 'high' or 'critical'"),
        ("redis: {wait_replicas: 1, timeout_s: 0.5}", "redis.wait_ms (cw.yaml): should be below redis.timeout_s (0.5 s)"),
    ],
)
def test_what_is_wrong_is_told_with_place_value_and_remedy(text: str, expected: str) -> None:
    (only,) = problems(text)
    assert only.startswith(expected)


def test_all_problems_are_told_at_once_from_file_and_environment() -> None:
    text = "kafka: {bootstrap: nope, security_protocol: SASL_SSL}\npolicy: {watch: 0.9, critical: x}\nfrob: 1\n"
    env = {"CHURNWATCH_HTTP__PORT": "99999", "CHURNWATCH_LOOKS__MINS": "3", "CHURNWATCH_MONEY__RATES": "{"}
    told = problems(text, env)
    places = {line.split(" ")[0].rstrip(":") for line in told}
    assert places == {
        *("kafka.bootstrap", "kafka.sasl_mechanism", "kafka.username", "kafka.password", "frob"),
        *("policy.critical", "policy.high", "CHURNWATCH_HTTP__PORT", "CHURNWATCH_LOOKS__MINS", "CHURNWATCH_MONEY__RATES"),
    }
    assert len(told) == len(places)


def test_a_rule_is_not_judged_by_a_default_put_in_place_of_a_wrong_value() -> None:
    assert len(problems("policy: {watch: x, high: 0.45}")) == 1


@pytest.mark.parametrize(
    "name", ["CHURNWATCH_POLICY", "CHURNWATCH_POLICY__WATCH__X", "CHURNWATCH_MONEY__RATES__EUR", "CHURNWATCH_POLICY_WATCH"]
)
def test_a_variable_that_names_no_setting_is_refused(name: str) -> None:
    (only,) = problems(None, {name: "hunter2"})
    assert only.startswith(f"{name}: is not a setting")
    assert "hunter2" not in only


def test_variables_of_the_command_line_and_of_tests_are_let_be() -> None:
    env = {"CHURNWATCH_CONFIG": "x", "CHURNWATCH_REQUIRE_REAL": "1", "CHURNWATCH_KAFKA_LIB": "lib", "CHURN_OTHER": "1"}
    assert load_settings(None, env) == Settings()


SECRET = "hunter2"
LEAKS = [
    ("redis: {url: 'http://u:hunter2@h'}", {}),
    ("redis: {url: 'redis://u:hunter2@[h'}", {}),
    ("redis: {url: 'redis://u:hunter2@h:port'}", {}),
    ("redis: {url: ['redis://u:hunter2@h']}", {}),
    ("redis: 'redis://u:hunter2@h'", {}),
    ("kafka: {password: [hunter2]}", {}),
    ("kafka: {pasword: hunter2}", {}),
    ("kafka: {password: hunter2}", {}),
    ("password: hunter2", {}),
    (None, {"CHURNWATCH_REDIS__URL": "hunter2"}),
    (None, {"CHURNWATCH_KAFKA__PASSWD": "hunter2"}),
    ("channels: {apprise: {sales: 'nope://hunter2@x'}}", {}),
    ("channels: {apprise: {sales: 'slack://hunter2'}}", {}),
    ("channels: {apprise: 'json://hunter2'}", {}),
    ("channels: {apprise: {sales: [hunter2]}}", {}),
    ("channels: {apprise: {'slack://hunter2/b/c': sales}}", {}),
    ("channels: {'slack://hunter2/b/c': sales}", {}),
    ("channels: {alertmanager: 'http://u:hunter2@[h'}", {}),
    ("channels: {alertmanager: 'https://u:hunter2@h:x'}", {}),
    ("channels: {alertmanager: {a: hunter2}}", {}),
    (None, {"CHURNWATCH_CHANNELS__APPRISE": '{"sales": "hunter2"'}),
    (None, {"CHURNWATCH_CHANNELS__APPRISE": '{"sales": "dingtalk://hunter-2/"}'}),
]


@pytest.mark.parametrize(("text", "env"), LEAKS)
def test_no_error_shows_a_secret(text: str | None, env: dict[str, str]) -> None:
    assert SECRET not in "\n".join(problems(text, env))


def test_neither_repr_nor_dump_shows_a_secret() -> None:
    env = {
        "CHURNWATCH_REDIS__URL": "rediss://user:hunter2@cache:6380/2?password=hunter2&ssl_cert_reqs=none",
        "CHURNWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "CHURNWATCH_KAFKA__SASL_MECHANISM": "PLAIN",
        "CHURNWATCH_KAFKA__USERNAME": "u",
        "CHURNWATCH_KAFKA__PASSWORD": "hunter2",
        "CHURNWATCH_CHANNELS__ALERTMANAGER": "http://a:9093/am,https://me:hunter2@b",
        "CHURNWATCH_CHANNELS__APPRISE": '{"sales": "json://me:hunter2@h/hunter2?-token=hunter2"}',
    }
    got = load_settings(None, env)
    assert SECRET not in f"{got!r} {got} {got.masked()} {got.model_dump_json()}"
    assert got.masked()["channels"]["alertmanager"] == "http://a:9093/am,https://***@b"
    assert got.masked()["channels"]["apprise"] == {"sales": "**********"}
    assert got.masked()["redis"]["url"] == "rediss://***@cache:6380/2?password=***&ssl_cert_reqs=none"
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"redis": {"url": "http://hunter2"}})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/sales", {"T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"}),
        ("dingtalk://SEC0123456@b5c87e0f23a1", {"SEC0123456", "b5c87e0f23a1"}),
        ("mailtos://me:p%40ss@mail.example.org?to=ops@example.org", {"p%40ss", "p@ss"}),
        ("json://127.0.0.1:8080/churn/alerts", set()),
        ("json://h/x?-X-Token=abc", {"abc"}),
    ],
)
def test_the_tokens_of_an_address_are_known_to_the_log_and_its_plain_parts_are_not(url: str, hidden: set[str]) -> None:
    got = load_settings(f"channels: {{apprise: {{sales: '{url}'}}}}", {})
    assert set(got.secret_values()) == {url, *hidden}


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().policy.watch = 0.1  # type: ignore[misc]  # that is the point


def test_the_hash_changes_with_what_decides_and_with_nothing_else() -> None:
    base = Settings().config_hash
    assert len(base) == 12
    assert int(base, 16) >= 0
    deciding = ["time: {lateness_s: 1}", "risk: {horizon_days: 60}", "policy: {watch: 0.4}", "looks: {min_s: 1}"]
    deciding += ["money: {rates: {USD: 1, EUR: 1.1}}", "policy: {holdout_salt: x}"]
    others = ["kafka: {group: x}", "redis: {prefix: x}", "time: {skew_s: 1}", "http: {port: 1}", "risk: {parameters_file: x}"]
    assert len({base, *(load_settings(text, {}).config_hash for text in deciding)}) == len(deciding) + 1
    assert {load_settings(text, {}).config_hash for text in others} == {base}
    one, other = ("money: {rates: {USD: 1, EUR: 2, GBP: 3}}", "money: {rates: {GBP: 3.0, EUR: 2, USD: 1}}")
    assert load_settings(one, {}).config_hash == load_settings(other, {}).config_hash


def test_the_file_is_the_one_given_or_the_one_the_variable_names(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("kafka: {group: one}")
    two.write_text("kafka: {group: two}")
    env = {"CHURNWATCH_CONFIG": str(two)}
    assert load_settings_file(one, env).kafka.group == "one"
    assert load_settings_file(None, env).kafka.group == "two"
    assert load_settings_file(None, {}).kafka.group == "churnwatch"


def test_a_file_that_cannot_be_read_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for path, reason in ((tmp_path / "absent.yaml", "No such file"), (tmp_path / "bytes.yaml", "is not UTF-8")):
        with pytest.raises(SettingsError, match=reason):
            load_settings_file(path, {})


def test_sections_made_in_code_obey_the_same_rules() -> None:
    with pytest.raises(ValidationError, match=r"above policy\.watch"):
        PolicySettings(watch=0.8)


def test_the_page_of_security_is_current() -> None:
    page = (REPO / "docs" / "security.md").read_text("utf-8")
    assert page == rewritten(page), "run `make docs`"


def test_the_page_of_settings_is_current() -> None:
    assert (REPO / "docs" / "settings.md").read_text("utf-8") == settings_markdown(), "run `make docs`"


def test_the_settings_of_learning_begin_where_the_learners_own_rules_do() -> None:
    chosen = load_settings("learning:\n  enabled: true\n", {})
    assert learner_rules(chosen) == LearnerRules(horizon_days=90, grid_days=30)


def test_what_counts_as_staying_reaches_the_outcomes_the_learner_and_the_alerts() -> None:
    chosen = load_settings("learning: {enabled: true}\nrisk: {staying: logins}\n", {})
    rules, outcomes, learner = engine_rules(chosen), outcome_rules(chosen), learner_rules(chosen)
    assert outcomes is not None
    assert learner is not None
    assert (outcomes.staying, learner.shifts, rules.context.alert.learnt_by) == ("logins", False, "logins")
    assert chosen.config_hash != load_settings("learning: {enabled: true}", {}).config_hash
    with pytest.raises(SettingsError, match=r"risk\.staying .*logins.*: would not be used: set learning\.enabled"):
        load_settings("risk: {staying: logins}", {})
