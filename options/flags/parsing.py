"""Command lines: dataclasses in, typed and checked values out, mistakes answered in one line.

Nothing heavy is imported, so that `--help` and a mistyped flag are answered before anything is loaded.
"""

import argparse
import dataclasses
import logging
import math
import re
import sys
import textwrap
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from utils.errors import InputError

EXIT_BAD_FLAG = 2
_WIDTH = 110


def flag(default: Any, help: str, *aliases: str) -> Any:
    """A flag of a dataclass: its default, the text that `--help` shows, other spellings."""
    return dataclasses.field(default=default, metadata={"help": help, "aliases": aliases})


def required_flag(help: str) -> Any:
    return dataclasses.field(metadata={"help": help, "aliases": ()})


def need(condition: bool, message: str) -> None:
    """For `__post_init__` of flags: raise ValueError with `message`, which names the flag, where `condition` fails."""
    if not condition:
        raise ValueError(message)


def parse_flags(
    *groups: type,
    description: str,
    argv: Sequence[str] | None = None,
    first: Sequence[str] = (),
    ignored: Mapping[str, Sequence[str]] | None = None,
) -> tuple:
    """Parse `argv` (default: the process's own) into one instance of each dataclass in `groups`.

    Flags are the field names with hyphens; `_argument_group_name` names the group in `--help`. A `ValueError` or
    `InputError` from `__post_init__` is a bad value: it should name the flag. Abbreviations and unknown flags are
    refused.

    Args:
        first: names of the fields that everybody needs: `--help` begins with them.
        ignored: reason -> names of flags that are accepted with any values; giving one is answered with a warning.
    """
    # What may stand on the command line.
    ignored = ignored or {}
    parser = _Parser(
        description=description,
        usage="%(prog)s [flags]",
        epilog=_ignored_line(ignored),
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    _declare(parser, groups, first)
    for name in (name for names in ignored.values() for name in names):
        parser.add_argument(f"--{name}", f"--{name.replace('-', '_')}", nargs="*", help=argparse.SUPPRESS)
    # What stands there.
    given = vars(parser.parse_args(argv))
    useless = [
        f"--{name} ({reason})"
        for reason, names in ignored.items()
        for name in names
        if given[name.replace("-", "_")] is not None
    ]
    if useless:
        logging.warning("not needed and ignored: %s", ", ".join(useless))
    try:
        return tuple(
            group(**{field.name: given[field.name] for field in dataclasses.fields(group)}) for group in groups
        )
    except (ValueError, InputError) as error:
        parser.error(str(error))


def _declare(parser: argparse.ArgumentParser, groups: Sequence[type], first: Sequence[str]) -> None:
    """Declare every field of `groups`, those of `first` in a section of their own at the top."""
    declared = {
        field.name: (field, get_type_hints(group)[field.name], group._argument_group_name)
        for group in groups
        for field in dataclasses.fields(group)
    }
    top = parser.add_argument_group("what every run needs") if first else None
    for name in first:
        field, kind, _ = declared[name]
        _add_flag(top, field, kind)
    sections = {group._argument_group_name: parser.add_argument_group(group._argument_group_name) for group in groups}
    for name, (field, kind, section) in declared.items():
        if name not in first:
            _add_flag(sections[section], field, kind)


def _add_flag(section: argparse._ArgumentGroup, field: dataclasses.Field, kind: Any) -> None:
    """One field as one argument; a switch that is on by default gets a `--no-` of its own."""
    spellings = dict.fromkeys(
        (f"--{field.name.replace('_', '-')}", f"--{field.name}", *field.metadata.get("aliases", ()))
    )
    about: dict[str, Any] = {"help": field.metadata["help"], "dest": field.name}
    if field.default is not dataclasses.MISSING:
        about["default"] = field.default
    elif field.default_factory is not dataclasses.MISSING:
        about["default"] = field.default_factory()
    else:
        about["required"] = True
    kind = _without_none(kind)
    if get_origin(kind) is Literal:
        about["choices"] = get_args(kind)
    elif get_origin(kind) is list:
        about |= {"type": _reader(get_args(kind)[0]), "nargs": "+"}
    elif kind is bool:
        about |= {"type": _truth, "nargs": "?", "const": True}
    else:
        about["type"] = _reader(kind)
    section.add_argument(*spellings, **about)
    if kind is bool and field.default is True:
        negations = [f"--no-{field.name.replace('_', '-')}", f"--no_{field.name}"]
        section.add_argument(
            *negations, action="store_false", dest=field.name, default=True, help=f"not: {field.metadata['help']}"
        )


def _without_none(kind: Any) -> Any:
    """``X | None`` -> X."""
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    return kind


def _reader(kind: Any) -> Any:
    """What turns the text behind a flag into a value of this kind."""
    return _finite if kind is float else kind


def _truth(text: str) -> bool:
    """What may stand behind a switch: true and false in the usual words."""
    if text.lower() in ("true", "t", "yes", "y", "on", "1"):
        return True
    if text.lower() in ("false", "f", "no", "n", "off", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _finite(text: str) -> float:
    """A number; neither NaN, which passes every comparison that it should fail, nor infinity."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def _ignored_line(ignored: Mapping[str, Sequence[str]]) -> str | None:
    names = " ".join(f"--{name}" for names in ignored.values() for name in names)
    line = f"accepted and ignored, so that published command lines run as they are: {names}"
    return textwrap.fill(line, _WIDTH, break_on_hyphens=False) if names else None


class _Parser(argparse.ArgumentParser):
    """Ends with one line on a mistake, and takes ``-y`` behind a flag for its value, as in ``--up -y``."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        # What argparse tells values from flags by, where both begin with a hyphen: here all flags but -h have two.
        self._negative_number_matcher = re.compile(r"-[^-]")

    def _get_option_tuples(self, option_string: str) -> list:
        """No flag is meant by its beginning: ``-here`` is not ``-h``."""
        return []

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(EXIT_BAD_FLAG)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows every default, keeps the line breaks of descriptions, and spells flags with hyphens."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = (action.help or "").replace("%", "%%")  # argparse formats it; our texts mean a per cent sign
        if action.required or action.default is argparse.SUPPRESS or "default" in text.lower():
            return text  # a text that tells the default itself knows it better, for example "default: all"
        if action.nargs == 0 and action.dest != "help":  # the --no- of a switch
            return text
        if action.default is None or isinstance(action.default, bool):
            return f"{text} (default: {'none' if action.default is None else 'on' if action.default else 'off'})"
        return f"{text} (default: %(default)s)"

    def _format_action_invocation(self, action: argparse.Action) -> str:
        spelled = [name for name in action.option_strings if "_" not in name] or list(action.option_strings)
        if action.nargs in (0, "?"):
            return ", ".join(spelled)
        kind = {int: "N", _finite: "X"}.get(action.type, action.dest.rsplit("_", 1)[-1].upper())
        (value,) = self._metavar_formatter(action, kind)(1)
        return f"{', '.join(spelled)} {value}"
