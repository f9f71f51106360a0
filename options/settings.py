"""What the settings of train_mllm.py and eval_mllm.py have in common: they are all flags of one command line."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar, get_type_hints

from options.flags.parsing import parse_flags
from utils.run.launcher import launched_as_main

Own = TypeVar("Own", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """A subclass names its groups of flags as fields, and says what they mean to the library."""

    # Flags that `--help` begins with, and published flags that are accepted and ignored (reason -> names).
    FIRST: ClassVar[Sequence[str]] = ()
    IGNORED: ClassVar[Mapping[str, Sequence[str]]] = {}
    # Fields that published command lines give also where nothing reads them.
    TOLERATED: ClassVar[Collection[str]] = ()

    @classmethod
    def parse(cls: type[Own], description: str, argv: Sequence[str] | None = None) -> Own:
        """The settings that a command line asks for; exits with one line where it is wrong."""
        logging.basicConfig(level=logging.INFO if launched_as_main() else logging.WARNING, format="%(message)s")
        groups = [get_type_hints(cls)[field.name] for field in fields(cls)]
        flags = parse_flags(
            *groups,
            description=description,
            argv=argv,
            first=cls.FIRST,
            ignored=cls.IGNORED,
            unused=lambda *given: cls(*given).unused(),
            tolerated=cls.TOLERATED,
        )
        return cls(*flags)

    @classmethod
    def of(cls: type[Own], settings: "Settings") -> Own:
        """The same flags, read by a subclass for what it needs of them."""
        return cls(**{field.name: vars(settings)[field.name] for field in fields(cls)})

    def unused(self) -> Mapping[str, Sequence[str]]:
        """Reason -> names of the flags that nothing reads, given the others."""
        return {}

    def as_dict(self) -> dict:
        """Every flag by name, as args.json keeps them."""
        return {name: value for group in asdict(self).values() for name, value in group.items()}

    def as_recorded(self, before: Mapping[str, Any], marks: Collection[str]) -> dict:
        """`as_dict` for an args.json that goes on from `before`.

        A run of an earlier version is known by flags that it does not have (`marks`): it stays without them, or the
        next command would take it for one of this version.
        """
        return {
            name: value for name, value in self.as_dict().items() if not before or name in before or name not in marks
        }
