"""A command line as it is typed: spellings, switches, lists, mistakes, and what --help shows first."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from options.flags.parsing import flag, need, parse_flags, required_flag
from options.flags.ranges import COUNT, POSITIVE, SEED, SHARE, Range
from utils.errors import InputError


@dataclass
class Where:
    """Where."""

    _argument_group_name = "where"

    out_dir: str = required_flag("folder of all")
    exp_name: str | None = flag(None, "name of the run")


@dataclass
class How:
    """How."""

    _argument_group_name = "how"

    stage: Literal["sft", "rlvr"] = flag("sft", "what is done")
    batch_size: int = flag(6, "samples a step", "--m2t-batch-size")
    rate: float = flag(1e-5, "share of 100 %")
    limit: int | None = flag(None, "first N only")
    use_com: bool = flag(False, "wrap it")
    name: str | None = flag(None, "any text")
    shares: list[float] = field(default_factory=lambda: [0.5], metadata={"help": "shares"})
    resume: bool = flag(True, "go on")
    keep_all: bool = flag(True, "keep all")
    steps: list[int] = field(default_factory=lambda: [7], metadata={"help": "at which steps"})

    def __post_init__(self):
        need(self.batch_size > 0, "--batch-size must be positive")
        if self.rate > 1:
            raise InputError("--rate is a share")


IGNORED = {"read from the file": ("width", "vq-act")}


def parse(*words):
    return parse_flags(Where, How, description="Does it.", argv=["--out-dir", "x", *words], ignored=IGNORED)


def test_defaults_stand_where_nothing_is_said():
    where, how = parse()
    assert (where, how) == (Where("x"), How())


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--batch-size", "3"], "batch_size", 3),
        (["--batch_size", "3"], "batch_size", 3),
        (["--batch-size=3"], "batch_size", 3),
        (["--m2t-batch-size", "3"], "batch_size", 3),
        (["--batch-size", "3", "--batch-size", "4"], "batch_size", 4),
        (["--rate", "-0.5"], "rate", -0.5),
        (["--limit", "5"], "limit", 5),
        (["--stage", "rlvr"], "stage", "rlvr"),
        (["--steps", "1", "2"], "steps", [1, 2]),
        (["--use-com"], "use_com", True),
        (["--use-com", "true"], "use_com", True),
        (["--use-com", "n"], "use_com", False),
        (["--resume", "false"], "resume", False),
        (["--no-resume"], "resume", False),
        (["--no_resume"], "resume", False),
        (["--no-keep-all"], "keep_all", False),
        (["--no_keep_all"], "keep_all", False),
        # Behind a flag a single hyphen begins a value.
        (["--name", "-y"], "name", "-y"),
        (["--name=-y"], "name", "-y"),
        (["--name", "-here"], "name", "-here"),
        (["--shares", "-1", "-.5e3"], "shares", [-1, -500]),
    ],
)
def test_spellings(words, name, value):
    _, how = parse(*words)
    assert vars(how)[name] == value
    assert {key: kept for key, kept in vars(how).items() if key != name} == {
        key: kept for key, kept in vars(How()).items() if key != name
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch", "3"], "unrecognized arguments: --batch"),
        (["--wings"], "unrecognized arguments: --wings (see"),
        (["--bach_size=3"], "unrecognized arguments: --bach_size=3; did you mean --batch-size? (see"),
        (["--rat", "3", "--setps", "2"], "did you mean --rate --steps?"),
        (["--batch-size", "many"], "invalid int value: 'many'"),
        (["--batch-size"], "expected one argument"),
        (["--batch-size", "--rate", "1"], "expected one argument"),
        (["-y"], "unrecognized arguments: -y"),
        (["--rate", "nan"], "argument --rate: expected a finite number, got 'nan'"),
        (["--rate", "-inf"], "expected a finite number, got '-inf'"),
        (["--rate", "fast"], "expected a finite number, got 'fast'"),
        (["--rate", "9" * 5000], "expected a finite number"),
        (["--shares", "1", "nan"], "argument --shares: expected a finite number, got 'nan'"),
        (["--batch-size", "0"], "--batch-size must be positive"),
        (["--rate", "2"], "--rate is a share"),
        (["--stage", "dance"], "invalid choice: 'dance'"),
        (["--use-com", "perhaps"], "'perhaps' is neither true nor false"),
        (["--steps"], "expected at least one argument"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        parse(*words)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and line.startswith("error: ") and said in line and "--help" in line


def test_a_required_flag_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        parse_flags(Where, description="", argv=[])
    assert "--out-dir" in capsys.readouterr().err


def test_ignored_flags_are_accepted_with_any_values_and_named_once(caplog):
    _, how = parse("--width", "512", "--vq-act", "--use-com")
    assert how.use_com
    (record,) = caplog.records
    assert record.getMessage() == "not needed and ignored: --width (read from the file), --vq-act (read from the file)"


def test_help_begins_with_what_everybody_needs_and_ends_with_what_is_ignored(capsys):
    with pytest.raises(SystemExit) as end:
        parse_flags(Where, How, description="Does it.", argv=["--help"], first=("stage", "out_dir"), ignored=IGNORED)
    shown = capsys.readouterr().out
    assert end.value.code == 0
    top = ["Does it.", "what every run needs:", "--stage", "--out-dir"]
    rest = ["where:", "--exp-name", "how:", "--batch-size", "accepted and ignored", "--width --vq-act"]
    order = [*top, *rest]
    places = [shown.index(words) for words in order]
    assert places == sorted(places)
    assert "share of 100 % (default: 1e-05)" in " ".join(shown.split()) and "--batch_size" not in shown


@dataclass
class Ranged:
    """Ranged."""

    _argument_group_name = "ranged"

    seed: int = flag(0, "seed", within=SEED)
    share: float = flag(0.5, "share", within=SHARE)
    size: int = flag(3, "size", within=COUNT)
    open_end: float = flag(0.5, "below 1", within=Range(least=0, below=1))
    group: int = flag(8, "at least 2", within=Range(least=2))
    many: list[float] = field(default_factory=list, metadata={"help": "rates", "within": POSITIVE})
    free: int | None = flag(None, "any")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "--seed must not be negative, not -1"),
        (["--seed", "4294967296"], "--seed must be below 4294967296, not 4294967296"),
        (["--share", "1.5"], "--share must be at most 1, not 1.5"),
        (["--share", "nan"], "--share"),
        (["--share", "1e999"], "--share"),
        (["--size", "0"], "--size must be positive, not 0"),
        (["--size", "10000000000"], "--size must be at most 1000000000"),
        (["--open-end", "1"], "--open-end must be below 1, not 1.0"),
        (["--group", "1"], "--group must be at least 2, not 1"),
        (["--many", "1", "0"], "--many must be positive, not 0.0"),
        (["--free", "99999999999999999999"], "--free must be at most 1000000000"),
        (["--free", "9" * 5000], "--free"),
    ],
)
def test_numbers_beyond_their_range_are_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        parse_flags(Ranged, description="", argv=words)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and said in line


def test_the_ends_of_a_range():
    words = ["--seed", "4294967295", "--share", "1", "--size", "1", "--open-end", "0", "--group", "2", "--many", "1e-9"]
    (ranged,) = parse_flags(Ranged, description="", argv=words)
    assert ranged == Ranged(4294967295, 1.0, 1, 0.0, 2, [1e-9])


def without_use(*words):
    return parse_flags(
        How,
        description="",
        argv=list(words),
        ignored=IGNORED,
        unused=lambda how: {"of --stage rlvr": ["limit", "rate"]} if how.stage == "sft" else {},
        tolerated=("rate",),
    )


def test_a_flag_that_nothing_reads_is_refused_by_name(capsys):
    with pytest.raises(SystemExit) as end:
        without_use("--limit", "3")
    assert end.value.code == 2
    assert "of no use here: --limit (of --stage rlvr): leave it out" in capsys.readouterr().err
    without_use("--limit", "3", "--stage", "rlvr")


def test_one_that_published_lines_give_is_named_in_one_warning_with_those_that_are_ignored(caplog):
    without_use("--rate", "0.1", "--width", "512")
    (record,) = caplog.records
    assert record.getMessage() == "not needed and ignored: --width (read from the file), --rate (of --stage rlvr)"
