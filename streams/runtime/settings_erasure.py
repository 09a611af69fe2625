"""The settings of erasure: the secret behind the hashes of who was erased, and how long they are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from streams.runtime.settings_base import Section

LEAST_CHARACTERS = 16


def _long_enough(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < LEAST_CHARACTERS:
        raise ValueError(f"should have at least {LEAST_CHARACTERS} characters, or ids could be tried out")
    return value


class ErasureSettings(Section):
    key: Annotated[SecretStr | None, AfterValidator(_long_enough)] = Field(
        None, description="Secret of the hashes of erased customers, 16 characters or more; never change it; none: no erasure"
    )
    forget_after_days: int | None = Field(
        None, ge=1, le=36_500, description="Forget such a hash so many days after the erasure, by event time; none: never"
    )


class RetentionSettings(Section):
    inactive_days: int | None = Field(
        None, ge=1, le=36_500, description="Forget customers after so many days without any event, by event time; none: never"
    )
