"""What a model is asked to do, as options say it: checked as all others are."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ..config import Section, TaskConfiguration
from ..errors import UsageError, nearest

Asked = TypeVar("Asked", bound=Section)


def asked_section(
    kind: type[TaskConfiguration],
    section: type[Asked],
    options: Mapping[str, object],
    environment: Mapping[str, str] | None,
    doing: str,
) -> Asked:
    """A section of options that a model is asked with.

    Args:
        kind: A configuration with that section alone.
        section: The section.
        options: Values by name.
        environment: What options that were not named may come from; nothing where None.
        doing: What it is asked to do, for the error.

    Raises:
        UsageError: There is no such option.
        ConfigurationError: One breaks its rule.
    """
    for name in options:
        if name not in section.model_fields:
            told = f'{doing} has no option "{name}"; {nearest(name, section.model_fields)}'
            raise UsageError(told, option=name)
    (place,) = kind.model_fields
    found: Any = getattr(kind.build(options, environment=environment or {}), place)
    checked: Asked = found
    return checked
