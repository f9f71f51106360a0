"""The claims of prepare/README.md about what is never unpickled or executed, held on the syntax tree of every file."""

import ast
from pathlib import Path

import pytest
import transformers.trainer

from tests.test_architecture import MODULES, Module

# Where the one place is that may do what no other file may, each after what makes it safe.
ALLOWED = {
    "torch.load": {"utils/files/torch_files.py"},  # weights_only=True
    "pickle.Unpickler": {"dataset/captions/word_vectors.py"},  # imports nothing
    "yaml.load": {"utils/files/yaml_files.py"},  # by a SafeLoader
    "exec_module": {"rewards/mixture/loading.py"},  # the reward file that the user names
    "from_pretrained": {"utils/files/pretrained.py"},  # trust_remote_code=False
    "urlopen": {"prepare/assets/fetch.py"},  # the archive that the user names
}
# Names that no file may call: they execute what they read, or unpack it where it wants to be.
NEVER = {
    "eval", "exec", "pickle.load", "pickle.loads", "np.load", "numpy.load", "yaml.unsafe_load",
    "yaml.full_load", "joblib.load", "dill.load", "dill.loads", "marshal.loads", "shelve.open", "os.system", "os.popen",
    "torch.hub.load", "torch.jit.load", "pd.read_pickle", "shutil.unpack_archive", "tarfile.open",
}  # fmt: skip
# Arguments with one permitted value.
VALUES = {"allow_pickle": False, "trust_remote_code": False, "weights_only": True, "shell": False}


def violations(module: Module) -> list[str]:
    """What of a file could execute something that it reads, each as ``path:line: what``."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg in VALUES and not _is(node.value, VALUES[node.arg]):
            found.append((node.value, f"{node.arg}={ast.unparse(node.value)}"))
        names = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        for name in map(ast.unparse, names):
            last = name.rpartition(".")[2]
            if name in NEVER or last == "extractall":
                found.append((node, name))
            key = name if name in ALLOWED else last
            owner = "Embedding" in name  # nn.Embedding.from_pretrained takes a tensor
            if key in ALLOWED and module.path not in ALLOWED[key] and not owner:
                found.append((node, name))
    return [f"{module.path}:{node.lineno}: {what}" for node, what in found]


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_that_is_read_can_be_executed():
    assert "\n".join(violation for module in MODULES for violation in violations(module)) == ""


def test_each_permitted_place_is_still_needed():
    paths = {module.path: module.source for module in MODULES}
    for name, places in ALLOWED.items():
        assert all(name.rpartition(".")[2] in paths[place] for place in places), name


def keywords_of(source: str, function: str) -> list[dict[str, str]]:
    """The keyword arguments of each call of `function`."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        for call in calls
        if ast.unparse(call.func) == function
    ]


def test_the_one_place_that_reads_files_of_torch_does_so_safely():
    (module,) = (module for module in MODULES if module.path == "utils/files/torch_files.py")
    calls = keywords_of(module.source, "torch.load")
    assert calls and all(call["weights_only"] == "True" for call in calls)


def test_the_trainer_of_transformers_resumes_from_plain_values_only():
    """Its optimizer, scheduler and random states are files of torch in trainer_state/checkpoint-N."""
    calls = keywords_of(Path(transformers.trainer.__file__).read_text("utf-8"), "torch.load")
    assert len(calls) > 3 and all(call.get("weights_only") == "True" for call in calls)


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "f(path, allow_pickle=True)",
        "f(path, trust_remote_code=trusted)",
        "AutoModel.from_pretrained(name)",
        "yaml.load(text)",
        "eval(text)",
        "pickle.loads(data)",
        "class A(pickle.Unpickler):\n    pass",
        "subprocess.run(line, shell=True)",
        "archive.extractall(folder)",
        "spec.loader.exec_module(module)",
        "urllib.request.urlopen(address)",
    ],
)
def test_the_check_sees_what_is_unsafe(source):
    assert violations(Module("models/x.py", source))


@pytest.mark.parametrize(
    "source",
    ["yaml.safe_load(text)", "model.eval()", "nn.Embedding.from_pretrained(rows)", "f(path, allow_pickle=False)"],
)
def test_the_check_lets_safe_code_pass(source):
    assert violations(Module("models/x.py", source)) == []
