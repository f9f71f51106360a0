"""Command lines: dataclasses in, typed and checked values out, mistakes answered in one line."""

import argparse
import dataclasses
import sys
from typing import Any, NoReturn

from transformers import HfArgumentParser

EXIT_BAD_FLAG = 2


class FlagError(ValueError):
    """Flags that contradict each other or a file they name."""


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows every default, keeps the line breaks of descriptions, and spells flags with hyphens."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = (action.help or "").replace("%", "%%")  # argparse formats it; our texts mean a per cent sign
        if action.required or action.default is argparse.SUPPRESS or "default" in text.lower():
            return text  # a text that tells the default itself knows it better, for example "default: all"
        if action.default is None or isinstance(action.default, bool):
            return f"{text} (default: {'none' if action.default is None else 'on' if action.default else 'off'})"
        return f"{text} (default: %(default)s)"

    def _format_action_invocation(self, action: argparse.Action) -> str:
        spelled = [name for name in action.option_strings if "_" not in name] or list(action.option_strings)
        if action.nargs in (0, "?"):
            return ", ".join(spelled)
        kind = {int: "N", float: "X"}.get(action.type, action.dest.rsplit("_", 1)[-1].upper())
        (value,) = self._metavar_formatter(action, kind)(1)
        return f"{', '.join(spelled)} {value}"


class _Parser(HfArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(EXIT_BAD_FLAG)


def flag(default: Any, help: str, *aliases: str) -> Any:
    """A flag of a dataclass: its default, the text that `--help` shows, other spellings."""
    return dataclasses.field(default=default, metadata={"help": help, "aliases": list(aliases)})


def required_flag(help: str) -> Any:
    return dataclasses.field(metadata={"help": help})


def need(condition: bool, message: str) -> None:
    """For `__post_init__` of flags: raise ValueError with `message`, which names the flag, where `condition` fails."""
    if not condition:
        raise ValueError(message)


def parse_flags(*groups: type, description: str, argv: list[str] | None = None) -> tuple:
    """Parse `argv` (default: the process's own) into one instance of each dataclass in `groups`.

    Flags are the field names with hyphens; `_argument_group_name` names the group in `--help`. A `ValueError`
    from `__post_init__` is a bad value: it should name the flag. Abbreviations and unknown flags are refused.
    """
    parser = _Parser(
        groups,
        description=description,
        usage="%(prog)s [flags]",
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    try:
        return parser.parse_args_into_dataclasses(args=argv, look_for_args_file=False)
    except ValueError as error:
        parser.error(str(error))
