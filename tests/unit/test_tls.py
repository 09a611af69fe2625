"""Certificates and keys: each that cannot be used is named at the start, with its setting, its path and what to do."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.runtime.settings import SettingsError, load_settings_file
from streams.runtime.tls import TlsFiles, client_context, handshake_refusal, unusable
from tests.support.certificates import Authority, Issued

PASSWORD = "opens-hunter2"


@pytest.fixture
def mine(ours: Authority) -> Issued:
    return ours.issue("mine")


def files(ours: Authority, mine: Issued, **more: object) -> TlsFiles:
    named = {"ca": str(ours.ca), "cert": str(mine.cert), "key": str(mine.key)}
    return TlsFiles(**(named | {name: value if isinstance(value, SecretStr) else str(value) for name, value in more.items()}))  # type: ignore[arg-type]  # values of a table


def test_what_fits_is_used_and_host_names_are_checked(ours: Authority, mine: Issued) -> None:
    locked = files(ours, mine, key=mine.encrypted_key(PASSWORD), key_password=SecretStr(PASSWORD))
    for fitting in (TlsFiles(), TlsFiles(ca=str(ours.ca)), files(ours, mine), TlsFiles(cert=str(mine.both)), locked):
        assert list(unusable(fitting)) == []
        context = client_context(fitting)
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_each_file_that_cannot_be_used_is_named_with_the_remedy(ours: Authority, mine: Issued, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "damaged.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    locked, other = mine.encrypted_key(PASSWORD), ours.issue("other")
    cases = {
        "absent": (files(ours, mine, ca=tmp_path / "absent"), [("ca_file", "cannot be read: No such file or directory; give")]),
        "a folder": (files(ours, mine, cert=tmp_path), [("cert_file", "cannot be read: Is a directory; give")]),
        "empty": (files(ours, mine, key=tmp_path / "empty.pem"), [("key_file", "has no private key in it: give a PEM file")]),
        "damaged": (TlsFiles(ca=str(tmp_path / "damaged.pem")), [("ca_file", "cannot be used: ")]),
        "no key": (TlsFiles(cert=str(mine.cert)), [("cert_file", "has no private key in it")]),
        "another key": (files(ours, mine, key=other.key), [("key_file", "is not the key of cert_file")]),
        "locked": (files(ours, mine, key=locked), [("key_password", "is needed: the key is encrypted")]),
        "wrong": (files(ours, mine, key=locked, key_password=SecretStr("no")), [("key_password", "does not open the key")]),
        "all": (
            TlsFiles(str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "c")),
            [("ca_file", "cannot be read"), ("cert_file", "cannot be read"), ("key_file", "cannot be read")],
        ),
    }
    for name, (given, expected) in cases.items():
        found = list(unusable(given))
        assert [field for field, _ in found] == [field for field, _ in expected], name
        assert all(fix.startswith(start) for (_, fix), (_, start) in zip(found, expected, strict=True)), found


def test_files_are_told_with_all_other_problems_at_once_and_without_the_password(
    ours: Authority, mine: Issued, tmp_path: Path
) -> None:
    locked = mine.encrypted_key(PASSWORD)
    file = tmp_path / "cw.yaml"
    file.write_text(
        f"kafka: {{security_protocol: SSL, ca_file: {tmp_path}/no.pem, cert_file: {mine.cert}, key_file: {locked}, "
        "key_password: no-hunter2}\n"
        f"redis: {{url: 'rediss://h/0', ca_file: {ours.ca}, cert_file: {mine.cert}, key_file: {locked}}}\n"
        "policy: {watch: 2}\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings_file(file, {"CHURNWATCH_HTTP__PORT": "x"})
    named = {problem.where.removesuffix(f" ({file})") for problem in caught.value.problems}
    assert named == {"kafka.ca_file", "kafka.key_password", "redis.key_file", "policy.watch", "CHURNWATCH_HTTP__PORT"}
    assert len(caught.value.problems) == len(named)
    assert "cannot be read: No such file" in str(caught.value)
    assert "is encrypted: give a key without a password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_only_handshakes_that_no_waiting_will_mend_are_refusals() -> None:
    internal = ssl.SSLError(1, "alert")
    internal.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    for passing in (ConnectionRefusedError(), TimeoutError(), ssl.SSLEOFError(8, "EOF occurred"), internal):
        assert handshake_refusal(passing, "kafka") is None
    deep = RuntimeError("could not connect")
    deep.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    told = handshake_refusal(deep, "redis")
    assert told is not None
    assert told.fix == "set redis.ca_file to the authority behind the certificate"
