"""The rules of the layout, checked on the syntax tree of every file: import arrows, sizes, house rules."""

import ast
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import pytest

from tests.places import ROOT

MAX_LINES, MAX_FILES = 300, 15
# Above the first a function has a heading comment for its steps; above the second it is split.
HEADED_LINES, MAX_FUNCTION_LINES = 40, 60

# Which of our packages each package may import: utils <- dataset <- models <- rewards, models <- com, all <- options.
ARROWS = {
    "utils": {"utils"},
    "dataset": {"utils", "dataset"},
    "models": {"utils", "dataset", "models"},
    "rewards": {"utils", "dataset", "models", "rewards"},
    "com": {"utils", "dataset", "models", "com"},
    "options": {"utils", "dataset", "models", "rewards", "com", "options"},
}
LIBRARY = tuple(ARROWS)
# The rooms from the ground up: a file imports files of its own room and of rooms that stand before it here. So do the
# folders above, and no room can come to know the ones that build on it.
ROOMS = (
    "utils/files",
    "utils/motion",
    "utils/metrics",
    "utils/report",
    "utils/motion_files",
    "utils/run",
    "utils/warm_python",
    "utils",
    "dataset/captions",
    "dataset/actions",
    "dataset/claims",
    "dataset/facts",
    "dataset/humanml",
    "dataset/toy",
    "dataset/cot",
    "dataset/cot/foreign",
    "dataset/sources",
    "dataset/sources/amass",
    "dataset/sources/bvh",
    "models/text_motion",
    "models/nli",
    "models/tokenizer",
    "models/language",
    "models/policy",
    "models/engines",
    "models/inference",
    "models/evaluation",
    "models/sft",
    "models/reporting",
    "rewards",
    "rewards/mixture",
    "rewards/grpo",
    "com",
    "options/flags",
    "options",
    "prepare/assets",
    "prepare/conversion",
    "prepare/cot",
    "prepare/annotation",
    "prepare/demo",
    "prepare/distilling",
    "prepare/rendering",
    "prepare/sweeps",
    "prepare/export",
    "prepare",
)
# On the ground, below all rooms: what every file may raise, the words about what is missing, and how far it is.
GROUND = ("utils/errors.py", "utils/wording.py", "utils/asset_hints.py", "utils/progress.py")
# Folders that hold files of their own beside rooms: the rewards, what flags mean, the commands.
FILES_BESIDE_ROOMS = {"utils", "rewards", "options", "prepare", "dataset/cot", "dataset/sources"}
ENTRY_PACKAGE = "prepare"
ENTRY_FILES = ("train_mllm", "eval_mllm", "demo")
OURS = {*LIBRARY, ENTRY_PACKAGE, *ENTRY_FILES, "tests"}
# How every command ends on bad input: the two places of the library that may write to the terminal.
MAY_PRINT = {"utils/run/command.py", "options/flags/parsing.py"}
NON_EMPTY_INIT = "rewards/__init__.py"


@dataclass(frozen=True)
class Module:
    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @property
    def package(self) -> str:
        return self.path.removesuffix(".py").split("/")[0]

    @property
    def room(self) -> str:
        return self.path.rpartition("/")[0]

    def imports(self) -> set[str]:
        """Dotted names of what it imports of ours, wherever in the file."""
        names = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: relative import"
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        return {name for name in names if name.split(".")[0] in OURS}


def load_modules() -> list[Module]:
    files = [ROOT / f"{name}.py" for name in ENTRY_FILES]
    for package in (*LIBRARY, ENTRY_PACKAGE):
        files.extend(sorted((ROOT / package).rglob("*.py")))
    return [Module(f.relative_to(ROOT).as_posix(), f.read_text("utf-8")) for f in files if f.is_file()]


MODULES = load_modules()
LIBRARY_MODULES = [module for module in MODULES if module.package in LIBRARY]


def is_entry_point(module: Module) -> bool:
    return module.path.removesuffix(".py") in ENTRY_FILES or any(map(_is_main_guard, module.tree.body))


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def arrow_violations(module: Module) -> list[str]:
    """Imports of `module` that no arrow allows."""
    allowed = ARROWS.get(module.package)
    if allowed is None:
        return []
    return [f"{module.path} imports {name}" for name in module.imports() if name.split(".")[0] not in allowed]


def room_violations(module: Module, files: set[str]) -> list[str]:
    """Imports of `module` from a room that stands above its own; `files`: all paths there are."""
    if module.room not in ROOMS:
        return []
    found = {name.replace(".", "/") + ".py" for name in module.imports()} & files - set(GROUND)
    above = ROOMS[ROOMS.index(module.room) + 1 :]
    return [f"{module.path} imports {path}" for path in sorted(found) if path.rpartition("/")[0] in above]


def long_functions(module: Module) -> list[str]:
    """Functions that are too long, or long without a heading comment, each as ``path:line: what``."""
    lines = module.source.splitlines()
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            size = node.end_lineno - node.lineno + 1
            comments = sum(line.strip().startswith("#") for line in lines[node.lineno : node.end_lineno])
            if size > MAX_FUNCTION_LINES or (size > HEADED_LINES and not comments):
                found.append(f"{module.path}:{node.lineno}: {node.name} has {size} lines and {comments} comments")
    return found


def rule_violations(module: Module) -> list[str]:
    """House rules that hold for every file, each as ``path:line: what``."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "getattr" and _ends_in_args(node.args[0]):
                found.append((node, "getattr on parsed arguments"))
            if node.func.id == "print" and module.package in LIBRARY and module.path not in MAY_PRINT:
                found.append((node, "print in library code"))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node):
            found.append((node, "broad except"))
    for node in module.tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.For | ast.While | ast.With) or (isinstance(node, ast.Expr) and not docstring):
            found.append((node, "importing the module does something"))
    return [f"{module.path}:{node.lineno}: {what}" for node, what in found]


def _ends_in_args(node: ast.expr) -> bool:
    return ast.unparse(node).split(".")[-1] == "args"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Catches everything and goes on; cleaning up and raising again is allowed."""
    if any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler)):
        return False
    caught = [] if handler.type is None else [ast.unparse(node) for node in ast.walk(handler.type)]
    return handler.type is None or "Exception" in caught or "BaseException" in caught


def test_the_files_are_found():
    assert {module.package for module in LIBRARY_MODULES} == set(LIBRARY)
    assert len(LIBRARY_MODULES) > 20


def test_imports_follow_the_arrows():
    assert "\n".join(violation for module in MODULES for violation in arrow_violations(module)) == ""


def test_rooms_import_downwards():
    files = {module.path for module in MODULES}
    assert "\n".join(violation for module in MODULES for violation in room_violations(module, files)) == ""


def test_every_file_stands_in_a_known_room():
    rooms = {module.room for module in MODULES if module.room and module.source}
    assert rooms == set(ROOMS)


def test_no_room_is_crowded():
    """`prepare/` has a file a command; whatever serves them is in a room."""
    files = Counter(module.room for module in MODULES if not module.path.endswith("__init__.py"))
    assert {room: count for room, count in files.items() if count > MAX_FILES and room not in ("", "prepare")} == {}
    with_rooms = {room.rpartition("/")[0] for room in ROOMS} - {""}
    assert {room for room in with_rooms if files[room]} == FILES_BESIDE_ROOMS


def test_the_root_of_prepare_holds_commands_only():
    helpers = [m.path for m in MODULES if m.room == "prepare" and m.source and not is_entry_point(m)]
    assert helpers == []


def test_long_functions_have_headings_and_none_is_over_the_wall():
    assert "\n".join(violation for module in MODULES for violation in long_functions(module)) == ""


def test_entry_points_read_like_a_table_of_contents():
    assert {m.path: m.source.count("\n") for m in MODULES if not m.room and m.source.count("\n") >= 100} == {}


COMMANDS = [module.path.removesuffix(".py").replace("/", ".") for module in MODULES if is_entry_point(module)]
# What takes a command seconds to import, all of it together 10.
HEAVY = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "scipy", "matplotlib", "pandas", "smplx")
# Asks every command in one process, and lets nothing heavy be imported: whoever tries it is named with its importers.
ASK_EACH = """
import importlib, sys
class Refused(Exception): pass
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in heavy:
            frame, chain = sys._getframe(1), [name]
            while frame is not None:
                importer = frame.f_globals.get("__name__", "")
                if importer.partition(".")[0] in ours and importer not in chain:
                    chain.append(importer)
                frame = frame.f_back
            raise Refused(" <- ".join(chain))
commands, heavy, ours, words, status = {given!r}
sys.meta_path.insert(0, Watch())
for command in commands:
    sys.argv = [command, *words]
    try:
        importlib.import_module(command).main()
        print("SAID", command, "went on")
    except SystemExit as end:
        if end.code != status:
            print("SAID", command, "ended with", end.code)
    except Refused as chain:
        print("SAID", command, "imports", chain)
print("SAID all")
"""


@pytest.mark.parametrize(("words", "status"), [(["--help"], 0), (["--no-such-flag"], 2)])
def test_commands_answer_before_anything_heavy_is_loaded(words, status):
    """`--help` and a mistyped flag: 0.1 to 0.6 s of CPU (tests/benchmarks/README.md); a clock would not be a test."""
    code = ASK_EACH.replace("{given!r}", repr((COMMANDS, HEAVY, sorted(OURS), words, status)))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(COMMANDS) > 25
    assert [line for line in done.stdout.splitlines() if line.startswith("SAID")] == ["SAID all"]


def test_the_check_sees_what_a_command_loads(tmp_path):
    (tmp_path / "slow_command.py").write_text("from utils.files import torch_files\n", encoding="utf-8")
    given = (["slow_command"], HEAVY, sorted(OURS), ["--help"], 0)
    code = f"import sys; sys.path.append({str(tmp_path)!r})" + ASK_EACH.replace("{given!r}", repr(given))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "SAID slow_command imports torch <- utils.files.torch_files"


def test_nothing_imports_an_entry_point():
    entry_points = {m.path.removesuffix(".py").replace("/", ".") for m in MODULES if is_entry_point(m)}
    bad = [(m.path, sorted(m.imports() & entry_points)) for m in MODULES if m.imports() & entry_points]
    assert bad == []


def test_the_program_does_not_import_the_tests():
    assert [module.path for module in MODULES if any(name.startswith("tests") for name in module.imports())] == []


def test_house_rules():
    assert "\n".join(violation for module in MODULES for violation in rule_violations(module)) == ""


def test_no_file_is_over_the_wall():
    long = {m.path: m.source.count("\n") for m in MODULES if m.source.count("\n") > MAX_LINES}
    assert long == {}


def test_init_files_are_empty_but_for_the_names_of_the_rewards():
    inits = {module.path: module for module in MODULES if module.path.endswith("__init__.py")}
    assert [path for path, module in inits.items() if module.source.strip() and path != NON_EMPTY_INIT] == []
    docstring, names = inits[NON_EMPTY_INIT].tree.body
    assert isinstance(docstring, ast.Expr) and isinstance(names, ast.Assign)
    rewards = ast.literal_eval(names.value)
    for target in rewards.values():
        path = ROOT / (target.partition(":")[0].replace(".", "/") + ".py")
        assert path.is_file(), path


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("utils/x.py", "from dataset.cot.sample import Sample"),
        ("dataset/x.py", "def f():\n    import models.language.prompts"),
        ("models/x.py", "from rewards import build"),
        ("rewards/x.py", "from com.chain_of_motion import Chain"),
        ("com/x.py", "import rewards.base"),
        ("models/x.py", "from options.flags.parsing import flag"),
        ("options/x.py", "import prepare.make_toy_dataset"),
        ("dataset/x.py", "import prepare.make_toy_dataset"),
        ("utils/x.py", "import train_mllm"),
    ],
)
def test_the_check_sees_an_import_against_the_arrows(path, source):
    assert len(arrow_violations(Module(path, source))) >= 1


def test_the_check_lets_allowed_imports_pass():
    for path, source in [
        ("rewards/x.py", "import torch\nfrom models.language.rollout import Rollout"),
        ("prepare/x.py", "from options.flags.parsing import flag\nfrom rewards.mixture.weighted import load_reward"),
        ("train_mllm.py", "import com.chain_of_motion"),
    ]:
        assert arrow_violations(Module(path, source)) == []


def test_the_check_sees_an_import_against_the_rooms():
    files = {"models/sft/training.py", "models/language/prompts.py", "utils/errors.py"}
    upwards = Module("models/language/prompts.py", "from models.sft.training import supervise")
    assert room_violations(upwards, files) == ["models/language/prompts.py imports models/sft/training.py"]
    downwards = Module("models/sft/training.py", "from models.language.prompts import Query\nimport utils.errors")
    assert room_violations(downwards, files) == []


def test_the_check_sees_long_functions():
    body = "    x = 1\n"
    assert len(long_functions(Module("models/x.py", "def f():\n" + body * 41))) == 1
    assert long_functions(Module("models/x.py", "def f():\n    # First.\n" + body * 41)) == []
    assert len(long_functions(Module("models/x.py", "def f():\n    # First.\n" + body * 61))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(args):\n    return getattr(args, 'x')",
        "x = getattr(self.args, 'x', None)",
        "def f():\n    print('x')",
        "try:\n    import x\nexcept Exception:\n    x = None",
        "try:\n    import x\nexcept (ValueError, Exception):\n    x = None",
        "try:\n    import x\nexcept:\n    x = None",
        "configure()",
        "for x in y:\n    pass",
    ],
)
def test_the_check_sees_a_broken_house_rule(source):
    assert len(rule_violations(Module("models/x.py", source))) == 1


def test_the_check_lets_clean_code_pass():
    source = '"""Doc."""\nX = getattr(y, z)\ndef f():\n    try:\n        g()\n    except BaseException:\n        raise'
    assert rule_violations(Module("models/x.py", source)) == []
    assert rule_violations(Module("prepare/x.py", "def f():\n    print('x')")) == []
