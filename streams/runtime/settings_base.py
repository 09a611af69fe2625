"""What every group of settings is made of: how it checks itself, and types of its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Rules = Iterator[tuple[str, str]]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[int, Field(ge=0)]
PositiveSeconds = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=128)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


def _host_ports(value: str) -> str:
    for server in value.split(","):
        if not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:,/]+):\d{1,5}", server.strip()):
            raise ValueError("should be host:port, several separated by commas")
    return ",".join(server.strip() for server in value.split(","))


def split_host_ports(value: str) -> tuple[tuple[str, int], ...]:
    """The hosts and ports of a setting that is a list of them.

    >>> split_host_ports("a:1,[::1]:2")
    (('a', 1), ('::1', 2))
    """
    pairs = (server.rpartition(":") for server in value.split(","))
    return tuple((host.strip("[]"), int(port)) for host, _, port in pairs)


HostPorts = Annotated[str, AfterValidator(_host_ports)]
TOPIC_CHARACTERS = r"^[A-Za-z0-9._-]*$"


class Section(BaseModel):
    """A group of settings: frozen, no unknown keys, no NaN, and never the input in an error (it may be a secret)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    def rules(self) -> Rules:
        """(field, what to do) for each rule between fields that is broken; nothing when all hold."""
        return iter(())

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic alone would take `true` for 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("should not be true or false")
        return value

    @model_validator(mode="after")
    def _obey(self) -> Self:
        broken = list(self.rules())
        if broken:
            text = "; ".join(f"{field} {what}" for field, what in broken).replace("{", "(").replace("}", ")")
            raise PydanticCustomError("rules", text, {"broken": broken})
        return self
