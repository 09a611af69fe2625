"""The settings of Redis: where it is, how to get in, how safe a commit must be."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from streams.runtime.settings_base import HostPorts, Positive, Rules, Section, split_host_ports
from streams.runtime.tls import TlsFiles


def _redis_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        where = parts.path if parts.scheme == "unix" else parts.hostname
        _ = parts.port
    except ValueError:  # what urlsplit says quotes the address, and with it the password
        raise ValueError("is not a valid address") from None
    if parts.scheme not in ("redis", "rediss", "unix") or not where:
        raise ValueError("should be redis://HOST:PORT/DB, rediss://… for TLS, or unix:///PATH")
    return value


class RedisSettings(Section):
    url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        SecretStr("redis://localhost:6379/0"),
        description="`redis://`, `rediss://` (TLS) or `unix://`, with user and password if any",
    )
    cluster: bool = Field(False, description="The address is a node of a Redis Cluster")
    cluster_nodes: HostPorts | None = Field(
        None, description="Further nodes of the cluster, `host:port,…`, to start from when the one in `redis.url` is away"
    )
    sentinels: HostPorts | None = Field(
        None,
        description="Sentinels that name the primary, `host:port,…`; host and port in `redis.url` do not count then, but its "
        "user, password, database and TLS do (TLS for the sentinels too)",
    )
    sentinel_master: str = Field("mymaster", min_length=1, description="What the sentinels call the primary")
    sentinel_username: str | None = Field(None, description="Who logs in to the sentinels, if not their default user")
    sentinel_password: SecretStr | None = Field(None, description="Password of the sentinels, if they have one of their own")
    ca_file: str | None = Field(None, description="PEM file of the authority behind the server's certificate; none: the system's")
    cert_file: str | None = Field(None, description="PEM file of our certificate, where the server asks for one")
    key_file: str | None = Field(None, description="PEM file of its key, without a password; none: it is in `redis.cert_file`")
    check_hostname: bool = Field(True, description="The certificate must have the host's name; false where nodes go by addresses")
    prefix: str = Field("churnwatch", pattern=r"^[A-Za-z0-9._:-]+$", max_length=100, description="First part of every key")
    wait_replicas: int = Field(0, ge=0, le=9, description="Replicas that must hold a commit before its messages leave; 0: none")
    wait_ms: int = Field(1000, gt=0, description="Longest wait for those replicas, milliseconds")
    timeout_s: Positive = Field(5.0, description="Longest wait for an answer, seconds")

    def rules(self) -> Rules:
        parts = urlsplit(self.url.get_secret_value())
        for field in () if parts.scheme == "rediss" else ("ca_file", "cert_file", "key_file"):
            if getattr(self, field) is not None:
                yield field, "would not be used: begin redis.url with rediss://, or remove it"
        if self.key_file is not None and self.cert_file is None and parts.scheme == "rediss":
            yield "key_file", "would not be used: set redis.cert_file, or remove it"
        if self.cluster and parts.scheme == "unix":
            yield "cluster", "needs redis:// or rediss:// in redis.url, not unix://"
        if self.cluster and parts.scheme != "unix" and parts.path.strip("/") not in ("", "0"):
            yield "cluster", "has database 0 only: remove the number from the end of redis.url"
        if self.cluster_nodes is not None and not self.cluster:
            yield "cluster_nodes", "would not be used: set redis.cluster to true, or remove it"
        yield from self._sentinel_rules(parts.scheme)
        if self.wait_replicas and self.wait_ms >= self.timeout_s * 1000:
            yield "wait_ms", f"should be below redis.timeout_s ({self.timeout_s:g} s), or every wait would look like an outage"

    def _sentinel_rules(self, scheme: str) -> Rules:
        if self.sentinels is None:
            for field in ("sentinel_username", "sentinel_password"):
                if getattr(self, field) is not None:
                    yield field, "would not be used: set redis.sentinels, or remove it"
            return
        if self.cluster:
            yield "sentinels", "are not for a cluster, which fails over by itself: remove them, or redis.cluster"
        if scheme == "unix":
            yield "sentinels", "need redis:// or rediss:// in redis.url, not unix://"
        if self.sentinel_username is not None and self.sentinel_password is None:
            yield "sentinel_password", "is needed with redis.sentinel_username"

    def further_nodes(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each node of `cluster_nodes`."""
        return () if self.cluster_nodes is None else split_host_ports(self.cluster_nodes)

    def sentinel_addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each sentinel; none without."""
        return () if self.sentinels is None else split_host_ports(self.sentinels)

    def tls_files(self) -> TlsFiles:
        """What TLS is made of, in every client of Redis'."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file)

    def tls_options(self) -> dict[str, Any]:
        """The same as redis-py names it, only what is set: the address may name the rest."""
        found = {"ssl_ca_certs": self.ca_file, "ssl_certfile": self.cert_file, "ssl_keyfile": self.key_file or self.cert_file}
        options: dict[str, Any] = {name: path for name, path in found.items() if path is not None}
        tls = urlsplit(self.url.get_secret_value()).scheme == "rediss"
        return options if self.check_hostname or not tls else options | {"ssl_check_hostname": False}
