"""Every page of the project is true: its commands take the flags it shows, its links lead somewhere, its lists of
files are complete."""

import ast
import contextlib
import functools
import importlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

FOLDERS = ("com", "dataset", "models", "options", "prepare", "rewards", "tests", "utils")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])
COMMANDS = sorted(f"prepare.{file.stem}" for file in (ROOT / "prepare").glob("[!_]*.py"))
ENTRY_MODULES = ["train_mllm", "eval_mllm", "demo", *COMMANDS]
HANDED_ON = {  # what follows ``--``
    "tests.benchmarks.rlvr_gain": "train_mllm",
    "prepare.sweep_com": "eval_mllm",
    "prepare.sweep_sampling": "eval_mllm",
}
LAUNCHERS = ("python", "torchrun", "accelerate")
# Flags of other programs that a page may name: torchrun, accelerate, pytest, pip.
FOREIGN_FLAGS = {
    "--max-lora-rank", "--max-model-len", "--data-parallel-size",  # vLLM
    "--nproc_per_node", "--num_processes", "--config_file", "--shutdown-timeout", "--help", "--durations",
    "--import-mode", "--num_machines", "--machine_rank", "--main_process_ip", "--main_process_port",
}  # fmt: skip
COMMAND_NAME = re.compile(r"(prepare\.\w+|tests\.benchmarks\.\w+|train_mllm\.py|eval_mllm\.py|demo\.py)(\s|$)")
OUR_PATH = re.compile(rf"({'|'.join(FOLDERS)})/[\w./-]+")
MAX_LINE, MAX_FRONT_PAGE = 120, 230


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


for_every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shell_lines(page: Path) -> list[str]:
    """The single commands of all bash blocks of a page."""
    blocks = re.findall(r"```bash\n(.*?)```", read(page), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [part.strip() for line in lines for part in line.split("&&")]


def code_spans(page: Path) -> list[str]:
    """What stands between single backticks in the text of a page."""
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    return [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", text)]


def commands_of(page: Path) -> list[tuple[str, list[str]]]:
    """(module, words) of every command of ours that a page shows, in its bash blocks and in its text."""
    found = []
    spans = [span for span in code_spans(page) if span.startswith("python ") or COMMAND_NAME.match(span)]
    for line in [*shell_lines(page), *spans]:
        words = [word for word in shlex.split(line, comments=True) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        if words and words[0] in LAUNCHERS:
            found += module_and_words(words[1:])
        elif words and COMMAND_NAME.match(words[0]):
            found += module_and_words(words)
    return found


def module_and_words(words: list[str]) -> list[tuple[str, list[str]]]:
    """The module that a command line starts, with its flags; what follows ``--`` goes to another command."""
    start = next((i for i, word in enumerate(words) if (ROOT / module_file(word)).is_file()), None)
    if start is None:
        named = next((word for word in words if not word.startswith("-")), "")
        placeholder = named.rpartition(".")[2].isupper()  # `python -m prepare.X`
        assert placeholder or named in ("", "venv", "spacy"), f"there is no command {named}"
        return []
    module, words = module_file(words[start]).removesuffix(".py").replace("/", "."), words[start + 1 :]
    end = words.index("--") if "--" in words else len(words)
    return [(module, words[:end]), *([(HANDED_ON[module], words[end + 1 :])] if end < len(words) else [])]


def module_file(word: str) -> str:
    if not re.fullmatch(r"[\w.]+", word):
        return "-"
    path = word.removesuffix(".py").replace(".", "/")
    package = f"{path}/__main__.py"
    return package if (ROOT / package).is_file() else f"{path}.py"


@functools.cache
def flags_of(module: str) -> frozenset[str]:
    """Every flag that the --help of a command shows."""
    shown, argv = io.StringIO(), sys.argv
    sys.argv = [module, "--help"]
    try:
        with pytest.raises(SystemExit) as end, contextlib.redirect_stdout(shown):
            importlib.import_module(module).main()
    finally:
        sys.argv = argv
    assert end.value.code == 0
    return frozenset(re.findall(r"--[a-z0-9][a-z0-9-]*", shown.getvalue()))


@for_every_page
def test_commands_take_the_flags_that_are_shown(page):
    for module, words in commands_of(page):
        shown = {word.split("=")[0] for word in words if word.startswith("--")}
        assert shown <= flags_of(module), f"{name_of(page)}: {module}"


@for_every_page
def test_flags_in_the_text_exist(page):
    known = FOREIGN_FLAGS.union(*map(flags_of, ENTRY_MODULES))
    known |= {flag for module, _ in commands_of(page) for flag in flags_of(module)}
    shown = {flag for span in code_spans(page) for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", span)}
    assert shown <= known, name_of(page)


def test_the_pages_show_the_commands():
    shown = {module for page in PAGES for module, _ in commands_of(page)}
    assert set(ENTRY_MODULES) <= shown
    assert {"train_mllm", "eval_mllm", "demo"} <= {m for m, _ in commands_of(ROOT / "README.md")}


@for_every_page
def test_examples_in_python_import_what_there_is(page):
    for block in re.findall(r"```python\n(.*?)```", read(page), flags=re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert [name.name for name in node.names if not hasattr(module, name.name)] == [], name_of(page)


@for_every_page
def test_scripts_exist(page):
    scripts = [shlex.split(line)[1] for line in shell_lines(page) if line.startswith("bash ")]
    scripts += [span.split()[1] for span in code_spans(page) if span.startswith("bash ")]
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def anchors_of(page: Path) -> set[str]:
    """What ``#anchor`` may name: the headings of a page, as GitHub spells them in addresses."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@for_every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{name_of(page)} links {target}"
        assert not anchor or anchor in anchors_of(linked), f"{name_of(page)} links {target}: no such heading"


@for_every_page
def test_files_that_are_named_exist(page):
    for span in code_spans(page):
        if OUR_PATH.fullmatch(span):
            assert (ROOT / span).exists() or (page.parent / span).exists(), f"{name_of(page)} names {span}"


@for_every_page
def test_lines_are_short_outside_tables(page):
    lines = enumerate(read(page).splitlines(), start=1)
    assert [n for n, line in lines if len(line) > MAX_LINE and not line.startswith("|")] == [], name_of(page)


def test_the_front_page_is_a_front_page():
    assert len(read(ROOT / "README.md").splitlines()) <= MAX_FRONT_PAGE


def test_the_front_page_names_every_room():
    tree = read(ROOT / "README.md").partition("## Where things are")[2]
    shown = set(re.findall(r"^(\S+)/ ", tree, flags=re.MULTILINE))
    assert shown == set(FOLDERS)
    there = {room.name for name in ("dataset", "models", "rewards") for room in (ROOT / name).glob("[!_]*/")}
    assert set(re.findall(r"^  (\w+)/ ", tree, flags=re.MULTILINE)) == there


def listed_files(page: Path) -> list[str]:
    """First column of the table below "## Files"."""
    _, _, section = read(page).partition("\n## Files\n")
    return re.findall(r"^\| \[?`([^`]+)`", section.partition("\n## ")[0], flags=re.MULTILINE)


def files_to_list(room: Path) -> set[str]:
    """What the README of a room must list: files, and rooms with a README of their own."""
    names = set()
    for entry in room.iterdir():
        if entry.is_dir() and (entry / "README.md").is_file():
            names.add(f"{entry.name}/")
        elif entry.is_dir():
            names |= {f"{entry.name}/{name}" for name in files_to_list(entry)}
        elif entry.suffix in (".py", ".sh", ".yaml") and entry.name != "__init__.py":
            names.add(entry.name)
    return names


def rooms() -> list[Path]:
    """All rooms with a README. tests/ itself lists no file: a test says itself what it is about."""
    return [page.parent for page in PAGES if page.name == "README.md" and page.parent not in (ROOT, ROOT / "tests")]


def complain(page: Path, listed: list[str], there: set[str]) -> str:
    wrong = [f"add a row for `{name}`" for name in sorted(there - set(listed))]
    wrong += [f"take out `{name}`, it is not there" for name in sorted(set(listed) - there)]
    wrong += [f"`{name}` stands there twice" for name in sorted({name for name in listed if listed.count(name) > 1})]
    return "\n".join(f"{name_of(page)}, table of files: {what}" for what in wrong)


@pytest.mark.parametrize("room", rooms(), ids=name_of)
def test_every_file_of_a_room_is_listed(room):
    page = room / "README.md"
    assert complain(page, listed_files(page), files_to_list(room)) == ""


def test_every_folder_has_a_page():
    assert [name for name in FOLDERS if not (ROOT / name / "README.md").is_file()] == []


def test_the_check_sees_what_is_missing(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# Room\n\n## Files\n\n| file | what |\n| --- | --- |\n| `gone.py` |\n\n## More\n\n| `x.py` |\n")
    assert listed_files(page) == ["gone.py"]
    (tmp_path / "new.py").touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.py").touch()
    assert files_to_list(tmp_path) == {"new.py", "inner/deep.py"}
