"""Commands: groups of options, and a first line that names the files to read, before torch is imported."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import Any, get_type_hints

from typer.core import TyperCommand

from isthmus.cli.progress import hint, say

# Parameters that name a file to read, whose existence the callbacks in cli/paths.py check.
INPUTS = ("config", "data", "detector", "holdout", "model", "normal", "real", "synthetic", "test", "train")
# Commands whose standard output is a document, which nothing else is added to.
DOCUMENTS = ("doctor", "info", "look", "quality")
# All arguments and options of the running command.
PARAMETERS: ContextVar[Mapping[str, Any]] = ContextVar("parameters")


class Command(TyperCommand):
    """A command that reads files."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        PARAMETERS.set(ctx.params)
        inputs = [str(value) for name, value in ctx.params.items() if name in INPUTS and isinstance(value, Path)]
        if inputs:
            announce = hint if self.name in DOCUMENTS else say
            announce(f"reading {', '.join(inputs)}")
        return super().invoke(ctx)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the whole first paragraph of the help, which the list of commands wraps."""
        return cleandoc(self.help or "").partition("\n\n")[0].replace("\n", " ")


def expand_groups(command: Callable[..., None], *read_elsewhere: Any) -> Callable[..., None]:
    """Return a command with one option for each field of its parameters that are dataclasses.

    ``read_elsewhere`` are further dataclasses; the command does not get their values, which are in ``PARAMETERS``.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = signature(command).parameters.values()
    parameters = [option for parameter in own for option in _expand(parameter, groups.get(parameter.name))]
    parameters += [option for group in read_elsewhere for option in _list_options(group)]

    def run(**values: Any) -> None:
        made = {name: kind(**{each.name: values[each.name] for each in fields(kind)}) for name, kind in groups.items()}
        command(**{parameter.name: {**values, **made}[parameter.name] for parameter in own})

    # "\b" keeps the lines of the next paragraph as they are.
    run.__name__ = command.__name__
    run.__doc__ = cleandoc(command.__doc__ or "").replace("Examples\n--------", "\b\nExamples:")
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _expand(parameter: Parameter, group: Any) -> list[Parameter]:
    return [parameter.replace(kind=Parameter.KEYWORD_ONLY)] if group is None else _list_options(group)


def _list_options(group: Any) -> list[Parameter]:
    defaults = {each.name: Parameter.empty if each.default is MISSING else each.default for each in fields(group)}
    kinds = get_type_hints(group, include_extras=True)
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kinds[name])
        for name, default in defaults.items()
    ]
