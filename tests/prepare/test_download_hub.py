"""Downloads from the hub as a user runs them: the real huggingface_hub against a loopback hub, each in a process."""

import subprocess
import threading
import time

import numpy as np
import pytest
import torch

from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.networks import build_networks
from models.text_motion.sizes import EvaluatorSizes
from prepare.assets.catalogue import BY_NAME, HUB_EVALUATOR
from tests.prepare.hub_layout import write_hub_evaluator
from tests.prepare.hub_python import hub_python
from tests.prepare.loopback import REVISION, FileServer, Hub, mounted, running, write_gdown
from tests.prepare.test_download import ROOT, WORDS, glove_zip
from utils.motion.skeleton import T2M

LFS = ("model.safetensors", "glove/our_vab_data.npy")


@pytest.fixture(scope="module")
def evaluator():
    torch.manual_seed(0)
    words = make_word_vectors(["a/DET", "man/NOUN"], dim=5)
    networks = build_networks(263, EvaluatorSizes(12, 10, 8, 14, 6, 5))
    return TextMotionEvaluator(networks, np.zeros(263), np.ones(263), T2M, words)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    with hub_python(tmp_path_factory.mktemp("hub") / "home", PATH="/usr/bin:/bin") as python:
        yield python


@pytest.fixture
def hub(tmp_path, evaluator, python):
    folder = write_hub_evaluator(evaluator, tmp_path / "published")
    with running(Hub(HUB_EVALUATOR, lfs=LFS, port=python.port)) as hub:
        hub.files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        hub.files[".gitattributes"] = b"*.safetensors filter=lfs\n"  # of the hub itself, in no manifest
        yield hub


@pytest.fixture
def run(python):
    """run(server, *words, **environment) -> the ended process, without a Drive client and without a proxy.

    `run.start` alike, but it is still running.
    """
    python.forget()

    def start(server, *words, **environment):
        env = python.environment | {"HF_ENDPOINT": server.address} | environment
        command = [python.python, "-m", "prepare.download", *map(str, words)]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(server, *words, **environment):
        process = start(server, *words, **environment)
        output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    run.start = start
    return run


def fetched_files(hub, begin):
    """Names of the files that were asked for since request `begin`."""
    asked = [request[1] for request in hub.requests[begin:] if request[0] == "GET" and "/resolve/" in request[1]]
    return [path.partition(f"{REVISION}/")[2] for path in asked]


def test_the_evaluator_arrives_ready_for_use(tmp_path, hub, run, evaluator):
    ended = run(hub, "evaluator-t2m", "--dest", tmp_path / "to")
    assert ended.returncode == 0, ended.stderr
    target = tmp_path / "to/t2m"
    assert f"next: it is ready: --eval-evaluator {target}" in ended.stdout
    assert TextMotionEvaluator.load(target).fingerprint == evaluator.fingerprint
    assert REVISION in (target / ".evaluator-t2m.download.json").read_text()
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["t2m"]
    asked = len(hub.requests)
    ended = run(hub, "evaluator-t2m", "--dest", tmp_path / "to")
    assert ended.returncode == 0 and "complete already" in ended.stdout and len(hub.requests) == asked


def test_the_word_vectors_come_out_of_the_same_repository(tmp_path, hub, run, evaluator):
    ended = run(hub, "glove", "--source", "hub", "--dest", tmp_path / "glove")
    assert ended.returncode == 0, ended.stderr
    assert WordVectorizer.load(tmp_path / "glove").words == evaluator.words.words
    assert not any(request[1].endswith("model.safetensors") for request in hub.requests)
    assert not (tmp_path / "glove/artifact_manifest.json").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_a_file_that_does_not_have_the_hubs_checksum(tmp_path, hub, run, name):
    """SHA-256 of a large file, git's of a small one."""
    hub.served[name] = bytes([hub.files[name][0] ^ 1]) + hub.files[name][1:]
    ended = run(hub, "evaluator-t2m", "--dest", tmp_path / "to")
    assert ended.returncode == 2
    assert f"downloaded files do not have the hub's checksums: {name} has" in ended.stderr
    assert not (tmp_path / "to/t2m").exists()
    del hub.served[name]
    asked = len(hub.requests)
    ended = run(hub, "evaluator-t2m", "--dest", tmp_path / "to")
    assert ended.returncode == 0, ended.stderr
    assert fetched_files(hub, asked) == [name]  # the others were kept


def test_a_file_that_does_not_have_the_manifests_checksum(tmp_path, hub, run):
    hub.files["stats/mean.npy"] = hub.files["stats/mean.npy"][:-1] + b"x"
    ended = run(hub, "evaluator-t2m", "--source", "hub", "--dest", tmp_path / "to")
    assert ended.returncode == 2
    assert "is not what was expected: stats/mean.npy has SHA-256" in ended.stderr
    assert not (tmp_path / "to/t2m").exists()


def test_a_repository_that_lacks_something(tmp_path, hub, run):
    del hub.files["glove/our_vab_idx.pkl"]
    ended = run(hub, "evaluator-t2m", "--source", "hub", "--dest", tmp_path / "to")
    assert ended.returncode == 2 and "glove/our_vab_idx.pkl is missing" in ended.stderr


def test_a_killed_download_goes_on(tmp_path, hub, run):
    """In the middle of the last file; what was whole is not fetched again."""
    hub.hold, hub.cut = threading.Event(), {"model.safetensors": 1000}
    words = ("evaluator-t2m", "--source", "hub", "--dest", tmp_path / "to")
    process = run.start(hub, *words)
    staged, others = tmp_path / "to/.downloads/evaluator-t2m/hub", [n for n in hub.files if n != "model.safetensors"]
    notes = staged / ".cache/huggingface/download"  # the client writes one behind each file: only then it is whole
    wait_until(lambda: not hub.cut and all((notes / f"{name}.metadata").is_file() for name in others))
    process.kill()
    process.communicate()
    hub.hold.set()
    assert not (tmp_path / "to/t2m").exists()
    asked = len(hub.requests)
    ended = run(hub, *words)
    assert ended.returncode == 0, ended.stderr
    assert fetched_files(hub, asked) == ["model.safetensors"]


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_gated_data_set_needs_the_token(tmp_path, run, python):
    repo = BY_NAME["cot-data"].hub.repo
    with running(Hub(repo, kind="datasets", token="secret", port=python.port)) as hub:
        hub.files = {"train.jsonl": b"{}\n", "motions/a.npy": b"x"}
        ended = run(hub, "data", "--dest", tmp_path / "data")
        assert ended.returncode == 2 and "set HF_TOKEN or run `hf auth login`" in ended.stderr
        ended = run(hub, "data", "--dest", tmp_path / "data", HF_TOKEN="secret")
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / f"data/{repo.rpartition('/')[2]}/motions/a.npy").read_bytes() == b"x"
        assert "secret" not in ended.stdout + ended.stderr


def test_a_repository_that_does_not_exist(tmp_path, hub, run):
    ended = run(hub, "morl-weights", "--dest", tmp_path / "to")
    assert ended.returncode == 2 and "the hub does not hand out AIGeeksGroup/MoRL" in ended.stderr


def test_the_weights_of_morl(tmp_path, run, python):
    with running(Hub("AIGeeksGroup/MoRL", port=python.port)) as hub:
        hub.files = {"motionllm.pth": b"weights"}
        ended = run(hub, "ckpt", "--source", "hub", "--dest", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "morl/motionllm.pth").read_bytes() == b"weights"


def test_without_network_the_other_source_is_tried(tmp_path, run, python):
    with running(Hub("nobody/nothing", port=python.port)) as gone:
        pass
    with running(FileServer()) as drive:
        drive.files[BY_NAME["glove"].drive.file_id] = glove_zip()
        path = f"{write_gdown(tmp_path / 'bin', drive.address)}:/usr/bin:/bin"
        ended = run(gone, "glove", "--source", "hub", "--dest", tmp_path / "glove", PATH=path)
        assert ended.returncode == 2
        assert f"{gone.address} cannot be reached for {HUB_EVALUATOR}" in ended.stderr
        assert "set HTTPS_PROXY behind a proxy" in ended.stderr and "Traceback" not in ended.stderr
        ended = run(gone, "glove", "--dest", tmp_path / "glove", PATH=path)
    assert ended.returncode == 0, ended.stderr
    assert "so it is fetched from Google Drive" in ended.stdout
    assert (tmp_path / "glove/our_vab_data.npy").read_bytes() == WORDS["our_vab_data.npy"]


def test_without_network_what_an_earlier_try_left_is_not_taken_for_all(tmp_path, hub, run):
    hub.served["model.safetensors"] = b"short"
    words = ("evaluator-t2m", "--source", "hub", "--dest", tmp_path / "to")
    assert run(hub, *words).returncode == 2
    hub.close()
    ended = run(hub, *words)
    assert ended.returncode == 2 and "cannot be reached" in ended.stderr
    assert not (tmp_path / "to/t2m").exists()


def test_offline_mode_is_named(tmp_path, hub, run):
    ended = run(hub, "evaluator-t2m", "--source", "hub", "--dest", tmp_path / "to", HF_HUB_OFFLINE="1")
    assert ended.returncode == 2 and "HF_HUB_OFFLINE is set: unset it" in ended.stderr
    assert hub.requests == []


def test_the_proxy_of_the_environment_is_used(tmp_path, run):
    with running(Hub("AIGeeksGroup/MoRL")) as hub, running(FileServer()) as proxy:
        ended = run(
            hub, "morl-weights", "--dest", tmp_path, HF_ENDPOINT="https://hub.invalid", HTTPS_PROXY=proxy.address
        )
    assert ended.returncode == 2 and "cannot be reached" in ended.stderr
    assert ("CONNECT", "hub.invalid:443", None) in proxy.requests


def test_a_full_disk(tmp_path, hub, run):
    hub.files["model.safetensors"] = bytes(600_000)
    with mounted(tmp_path / "disk", "512k") as disk:
        ended = run(hub, "evaluator-t2m", "--source", "hub", "--dest", disk / "to")
        assert ended.returncode == 2 and f"error: evaluator-t2m: the disk of {disk}/to is full" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not (disk / "to/t2m").exists()
