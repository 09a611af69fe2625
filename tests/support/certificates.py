"""Certificates for the tests, made by openssl when they are needed: an authority, and what it has signed.

ours = Authority(folder, "ours")
ours.ca                                    # PEM file to trust
server = ours.issue("broker", dns="localhost")
server.cert, server.key                    # PEM files; server.both has the two in one
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class OpensslMissing(Exception):
    """The program is not to be had here."""


def openssl(*args: str | Path) -> None:
    """Run it. Raises OpensslMissing; AssertionError with what it said when it fails."""
    program = shutil.which("openssl")
    if program is None:
        raise OpensslMissing("openssl is not in PATH: install openssl")
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Issued:
    """One certificate and its key."""

    cert: Path
    key: Path
    both: Path

    def encrypted_key(self, password: str) -> Path:
        """The same key, to be opened with this password."""
        path = self.key.with_suffix(".encrypted")
        openssl("pkcs8", "-topk8", "-in", self.key, "-out", path, "-passout", f"pass:{password}")
        return path


class Authority:
    """One that signs itself."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self.ca, self._key = self._folder / "ca.pem", self._folder / "ca.key"
        openssl("req", "-x509", *_EC, "-keyout", self._key, "-out", self.ca, "-subj", f"/CN={name} authority")

    def issue(self, name: str, *, dns: str | None = None) -> Issued:
        """A certificate for CN=name; for servers with the host name that clients look for."""
        cert, key, both = (self._folder / f"{name}.{end}" for end in ("crt", "key", "pem"))
        names = [] if dns is None else ["-addext", f"subjectAltName=DNS:{dns}"]
        signed = ["-CA", self.ca, "-CAkey", self._key, "-addext", "basicConstraints=critical,CA:FALSE"]
        openssl("req", "-x509", *_EC, "-keyout", key, "-out", cert, "-subj", f"/CN={name}", *names, *signed)
        both.write_bytes(key.read_bytes() + cert.read_bytes())
        return Issued(cert, key, both)
