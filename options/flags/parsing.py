"""Command lines: dataclasses in, typed and checked values out, mistakes answered in one line.

Nothing heavy is imported, so that `--help` and a mistyped flag are answered before anything is loaded.
"""

import argparse
import dataclasses
import difflib
import logging
import math
import re
import sys
import textwrap
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from options.flags.ranges import LARGEST, Range
from utils.errors import InputError
from utils.files.json_files import is_number

EXIT_BAD_FLAG = 2
_WIDTH = 110
# How alike a mistyped flag and the one that was meant are at least (0 to 1, as difflib counts).
_LIKENESS = 0.7
_ABSENT = object()  # what a flag has that does not stand on the command line
# A flag without a range of its own: whole numbers fit into 32 bits, as much of what they are handed to needs.
_ANY = {int: Range(least=-LARGEST, most=LARGEST), float: Range()}


def flag(default: Any, help: str, *aliases: str, within: Range | None = None) -> Any:
    """A flag of a dataclass: its default, the text that `--help` shows, other spellings, the numbers it may have."""
    return dataclasses.field(default=default, metadata={"help": help, "aliases": aliases, "within": within})


def words(help: str) -> Any:
    """What stands on the command line without a flag: a list of texts."""
    return dataclasses.field(default_factory=list, metadata={"help": help, "positional": True})


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
    unused: Callable[..., Mapping[str, Sequence[str]]] | None = None,
    tolerated: Collection[str] = (),
) -> tuple:
    """Parse `argv` (default: the process's own) into one instance of each dataclass in `groups`.

    Flags are the field names with hyphens; `_argument_group_name` names the group in `--help`. A `ValueError` or
    `InputError` from `__post_init__` is a bad value: it should name the flag. Abbreviations and unknown flags are
    refused, and numbers beyond the range of their flag.

    Args:
        first: names of the fields that everybody needs: `--help` begins with them.
        ignored: reason -> names of flags that are accepted with any values; giving one is answered with a warning.
        unused: gets the instances; reason -> names of fields that nothing reads beside the others. One that was given,
            with another value than its default, is refused.
        tolerated: names of fields that are answered with a warning instead.
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
    # What stands there: an action leaves its mark where nothing does.
    names = [action.dest for action in parser._actions if action.dest != "help"]
    found = vars(parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(names, _ABSENT))))
    given = {name: value for name, value in found.items() if value is not _ABSENT}
    useless = {
        name: reason
        for reason, names in ignored.items()
        for name in (name.replace("-", "_") for name in names)
        if name in given
    }
    # What it means.
    try:
        _check_ranges(groups, given)
        flags = tuple(
            group(**{field.name: given[field.name] for field in dataclasses.fields(group) if field.name in given})
            for group in groups
        )
        if unused is not None:
            useless |= _without_use(unused(*flags), flags, given, tolerated)
    except (ValueError, InputError) as error:
        parser.error(str(error))
    if useless:
        shown = ", ".join(f"{_spelled(name)} ({reason})" for name, reason in useless.items())
        logging.warning("not needed and ignored: %s", shown)
    return flags


def _check_ranges(groups: Sequence[type], given: Mapping[str, Any]) -> None:
    """Raise ValueError for a number that its flag may not have."""
    for field in (field for group in groups for field in dataclasses.fields(group) if field.name in given):
        value = given[field.name]
        for number in value if isinstance(value, list) else [value]:
            if is_number(number):
                within = field.metadata.get("within") or _ANY[type(number)]
                if (problem := within.problem(number)) is not None:
                    raise ValueError(f"{_spelled(field.name)} {problem}")


def _without_use(
    unused: Mapping[str, Sequence[str]], flags: Sequence[Any], given: Collection[str], tolerated: Collection[str]
) -> dict[str, str]:
    """Of the flags that nothing reads those that were given and are tolerated, with the reason.

    Raises:
        ValueError: one that is not.
    """
    default = {
        field.name: field.default if field.default is not dataclasses.MISSING else field.default_factory()
        for group in flags
        for field in dataclasses.fields(group)
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    }
    asked = {name: value for group in flags for name, value in vars(group).items() if name in given}
    found = {
        name: reason
        for reason, names in unused.items()
        for name in names
        if name in asked and (name in tolerated or asked[name] != default[name])
    }
    refused = [f"{_spelled(name)} ({reason})" for name, reason in found.items() if name not in tolerated]
    if refused:
        raise ValueError(f"of no use here: {', '.join(refused)}: leave {'them' if len(refused) > 1 else 'it'} out")
    return found


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
    spellings = _spellings(field)
    about: dict[str, Any] = {"help": field.metadata["help"], "dest": field.name}
    if field.default is not dataclasses.MISSING:
        about["default"] = field.default
    elif field.default_factory is not dataclasses.MISSING:
        about["default"] = field.default_factory()
    else:
        about["required"] = True
    kind = _without_none(kind)
    if field.metadata.get("positional"):
        section.add_argument(field.name, nargs="*", help=field.metadata["help"], metavar=field.name.upper())
        return
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


def _spellings(field: dataclasses.Field) -> dict[str, None]:
    return dict.fromkeys((_spelled(field.name), f"--{field.name}", *field.metadata.get("aliases", ())))


def names_on(words: Sequence[str], groups: Sequence[type]) -> set[str]:
    """The fields of `groups` whose flags stand on a command line."""
    found = {word.partition("=")[0] for word in words}
    return {field.name for group in groups for field in dataclasses.fields(group) if found & _spellings(field).keys()}


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

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> argparse.Namespace:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown)}")
        return found

    def _meant(self, unknown: Sequence[str]) -> str:
        """The flag that was meant, by its spelling: ``; did you mean --eval-task?``"""
        known = [spelling for action in self._actions for spelling in action.option_strings if "_" not in spelling]
        words = [word.split("=")[0].replace("_", "-") for word in unknown if word.startswith("-")]
        meant = [match for word in words for match in difflib.get_close_matches(word, known, n=1, cutoff=_LIKENESS)]
        return f"; did you mean {' '.join(dict.fromkeys(meant))}?" if meant else ""

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
        if isinstance(action.default, bool):
            return f"{text} (default: {'on' if action.default else 'off'})"
        return f"{text} (default: {'none' if action.default in (None, []) else '%(default)s'})"

    def _format_action_invocation(self, action: argparse.Action) -> str:
        spelled = [name for name in action.option_strings if "_" not in name] or list(action.option_strings)
        if action.nargs in (0, "?"):
            return ", ".join(spelled)
        kind = {int: "N", _finite: "X"}.get(action.type, action.dest.rsplit("_", 1)[-1].upper())
        (value,) = self._metavar_formatter(action, kind)(1)
        return f"{', '.join(spelled)} {value}"
