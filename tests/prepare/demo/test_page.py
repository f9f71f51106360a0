"""The page of demo.py, served by the real gradio on this machine alone: used by its client and by a real Chromium."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

import demo
from dataset.toy.clips import toy_clips
from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
from options.demo import DemoSettings
from prepare.demo.page import Answers, build_page
from tests.chromium import Browser, needs_chromium
from tests.places import ROOT
from tests.warm_python import warm_python
from utils.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, backbone, motion_tokenizer):
    """A random model of both tasks, and the motion file of a person."""
    place = tmp_path_factory.mktemp("page")
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    parts = (full_part(dict(model.state_dict()), ("t2m", "m2t"), "sft"),)
    config = PolicyConfig(backbone, 16, text_vocabulary)
    save_checkpoint(place / "policy.pth", Checkpoint(config, parts, motion_tokenizer.state()))
    np.save(place / "person.npy", next(toy_clips(1, seed=0)).joints)
    return place


@pytest.fixture(scope="module")
def settings(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["demo.py", "--ckpt", str(folder / "policy.pth"), "--device", "cpu"])
        return DemoSettings.parse("")


@pytest.fixture(scope="module")
def address(settings):
    """The page, served until the last test."""
    gradio = pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "GRADIO_ANALYTICS_ENABLED", "False")
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        page = build_page(gradio, settings)
        _, url, _ = page.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
        yield url
        page.close()


def test_a_client_gets_a_motion_in_every_kind_of_file(address, tmp_path):
    from gradio_client import Client

    client = Client(address, verbose=False, download_files=str(tmp_path))
    reasoning, shown, files = client.predict("a person walks", 2, 1, 0, False, api_name="/motion")
    assert isinstance(reasoning, str) and "<iframe" in shown and "a person walks" in shown
    assert {os.path.splitext(file)[1] for file in files} == {
        *(".bvh", ".glb", ".gif", ".png", ".html", ".npy", ".json"),
        *((".mp4",) if shutil.which("ffmpeg") else ()),
    }
    joints = np.load(next(file for file in files if file.endswith(".npy")))
    assert joints.shape == (40, 22, 3)


def test_a_client_uploads_a_motion_and_gets_a_caption(address, folder):
    from gradio_client import Client, handle_file

    answer, shown = Client(address, verbose=False).predict(handle_file(folder / "person.npy"), api_name="/captions")
    assert isinstance(answer, str) and "<iframe" in shown


def test_a_mistake_is_a_sentence_on_the_page(address):
    from gradio_client import Client

    with pytest.raises(Exception, match="expected at least one caption"):
        Client(address, verbose=False).predict("", 2, 1, 0, False, api_name="/motion")


@needs_chromium
def test_chromium_generates_a_motion_that_plays_without_a_complaint(address, tmp_path):
    with Browser(tmp_path) as browser:
        page = browser.open(address)
        page.wait("document.querySelector('#generate') && document.querySelector('#caption textarea')")
        page.click("#generate")
        page.wait("document.querySelector('#motion iframe')")
        inside = "document.querySelector('#motion iframe').contentDocument"
        page.run("document.querySelector('#motion iframe').scrollIntoView()")
        page.wait(f"{inside}.querySelector('.player') && {inside}.querySelector('.player').player")
        page.run(f"{inside}.querySelector('button.play').click()")
        page.wait(f"{inside}.querySelector('.player').dataset.frame > 2")
        page.wait("document.querySelectorAll('#files a').length >= 6")
        assert page.problems() == []
        outside = [
            url for url in page.requested() if not url.startswith((address.rstrip("/"), "data:", "blob:", "about:"))
        ]
        assert outside == []


def test_only_this_machine_is_listened_to(settings):
    assert settings.page.host == "127.0.0.1"


def test_without_gradio_one_line_names_the_package(settings, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)  # as Python does with what is not there
    monkeypatch.setattr(sys, "argv", ["demo.py", "--ckpt", str(folder / "policy.pth"), "--device", "cpu"])
    with pytest.raises(InputError, match="pip install gradio") as told:
        demo.main()
    assert "\n" not in str(told.value)


def test_the_buttons_answer_without_any_page(settings, folder):
    """What gradio calls: the same holds where it is not installed."""
    answers = Answers(settings)
    _, shown, files = answers.motion("a person walks </script><img onerror=x>", 2, 2, 0, False)
    assert shown.count("<iframe") == 1 and "<img" not in shown and len(files) == len(set(files)) >= 6
    text, shown = answers.captions(str(folder / "person.npy"))
    assert text and "<iframe" in shown
    for file in files:
        shutil.copy(file, folder)  # they are there


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_page_that_is_stopped_says_so(folder, number):
    pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [warm_python(), "-u", "demo.py", "--ckpt", folder / "policy.pth", "--device", "cpu", "--port", port]
    page = subprocess.Popen(
        [*map(str, command)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in its background lets them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert port in page.stdout.readline()  # it is served
        page.send_signal(number)
        _, told = page.communicate(timeout=60)
    finally:
        page.kill()
    assert page.returncode == 130 and "interrupted" in told and "Traceback" not in told
