"""Options that several commands share, defined once and added to each command."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def add_options(
    command: Callable[..., None], options: Callable[..., Any], parameter: str = ""
) -> Callable[..., None]:
    """Return ``command`` with the parameters of ``options`` after its own.

    Args:
        command: a function whose parameters typer reads.
        options: called with the values of its own parameters, before ``command``.
        parameter: the parameter of ``command`` that receives the result of ``options``; it is not an option itself.
    """
    own = inspect.signature(command, eval_str=True).parameters
    added = inspect.signature(options, eval_str=True).parameters

    def run(**values: Any) -> None:  # noqa: ANN401 - as the commands take them
        result = options(**{name: values.pop(name) for name in added})
        command(**values, **({parameter: result} if parameter else {}))

    together = [value for name, value in own.items() if name != parameter] + list(added.values())
    together = [value.replace(kind=inspect.Parameter.KEYWORD_ONLY) for value in together]
    run.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined] # where typer looks
    run.__annotations__ = {value.name: value.annotation for value in together}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
