"""TLS towards Kafka and Redis: the context of every client, what is wrong with its files, what a failed handshake means."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr


class TlsFiles(NamedTuple):
    """Paths of PEM files; None where there is none.

    ca            authorities that are trusted; None: the system's
    cert, key     what we show of ourselves; without `key` it is in the file of `cert`
    key_password  of an encrypted key
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    key_password: SecretStr | None = None


class _KeyIsEncrypted(Exception):
    """And no password was given."""


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Verifies the server's chain and its host name. Raises OSError (ssl.SSLError among them) for files that cannot be used."""
    context = ssl.create_default_context(cafile=files.ca)
    if files.cert is not None:
        context.load_cert_chain(files.cert, files.key, password=lambda: _password(files))
    return context


def _password(files: TlsFiles) -> str:
    # without this function OpenSSL would ask at the terminal, and a worker would wait for an answer that never comes
    if files.key_password is None:
        raise _KeyIsEncrypted
    return files.key_password.get_secret_value()


def unusable(files: TlsFiles, *, takes_password: bool = True) -> Iterator[tuple[str, str]]:
    """(setting, what to do) for each file that cannot be used, as `ca_file`, `cert_file`, `key_file`, `key_password`.

    takes_password   there is a setting for the key's password
    """
    found = [*_no_pem("ca_file", files.ca, "CERTIFICATE"), *_no_pem("cert_file", files.cert, "CERTIFICATE")]
    found += _no_pem("cert_file" if files.key is None else "key_file", files.key or files.cert, "PRIVATE KEY")
    yield from dict(found).items()  # a file that is not there is told once, also where it is to hold two things
    wrong = {field for field, _ in found}
    if files.ca is not None and "ca_file" not in wrong:
        yield from _broken_ca(files.ca)
    if files.cert is not None and not wrong & {"cert_file", "key_file"}:
        yield from _broken_pair(files, takes_password)


def _no_pem(field: str, path: str | None, kind: str) -> list[tuple[str, str]]:
    if path is None:
        return []
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        return [(field, f"cannot be read: {error.strerror}; give the path of a PEM file that this user may read")]
    if f"{kind}-----".encode() in text:
        return []
    return [(field, f"has no {kind.lower()} in it: give a PEM file, with the line -----BEGIN {kind}-----")]


def _broken_ca(path: str) -> Iterator[tuple[str, str]]:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        yield "ca_file", f"cannot be used: {_reason(error)}; give a PEM file of certificates"


def _broken_pair(files: TlsFiles, takes_password: bool) -> Iterator[tuple[str, str]]:
    key_field = "cert_file" if files.key is None else "key_file"
    try:
        client_context(files._replace(ca=None))
    except _KeyIsEncrypted:
        if takes_password:
            yield "key_password", "is needed: the key is encrypted"
        else:
            yield key_field, "is encrypted: give a key without a password, readable for this user only"
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield key_field, "is not the key of cert_file: give the two that were made together"
        elif files.key_password is not None:
            yield "key_password", f"does not open the key, or the key is damaged ({_reason(error)})"
        else:
            yield key_field, f"cannot be used: {_reason(error)}; make the certificate and its key anew"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "not valid PEM").lower().replace("_", " ")


class Refused(NamedTuple):
    """What waiting will not mend, and what to do."""

    what: str
    fix: str


def handshake_refusal(problem: BaseException, section: str) -> Refused | None:
    """Why a TLS handshake failed, where waiting will not mend it; None otherwise.

    problem   what was raised; what caused it is looked at too
    section   kafka or redis, whose settings to name
    """
    for error in _causes(problem):
        if isinstance(error, ssl.SSLCertVerificationError):
            return _unverified(getattr(error, "verify_message", None) or str(error), section)
        reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
        if reason is not None and "ALERT" in reason and any(sign in reason for sign in _ABOUT_US):
            fix = f"set {section}.cert_file and {section}.key_file to a certificate that it trusts"
            return Refused(f"the server refuses the handshake ({reason.lower().replace('_', ' ')})", fix)
        if reason in _NO_TLS:
            return Refused("the server does not speak TLS on this port", "give the port that does, or connect without TLS")
    return None


_ABOUT_US = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""Alerts about our certificate, or that there is none. Others may be about the server's own state."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def _unverified(why: str, section: str) -> Refused:
    if "match" in why.lower():
        fix = "connect under a name that the certificate has, or make one that has this name"
    else:
        fix = f"set {section}.ca_file to the authority behind the certificate"
    return Refused(f"the server's certificate is not accepted ({why})", fix)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    error: BaseException | None = problem
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from (arg for arg in error.args if isinstance(arg, BaseException))
        error = error.__cause__ or error.__context__
