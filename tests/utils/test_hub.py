"""A model is found by its folder, its package or the hub; where none has it, the message tells the way out."""

import socket

import pytest
from huggingface_hub import constants

from utils import hub
from utils.errors import InputError


def test_a_folder_and_a_model_inside_an_installed_package_are_found(tmp_path, monkeypatch):
    package = tmp_path / "package_with_model"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "model" / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert hub.find_model("package_with_model", "") == str(package / "model")
    assert hub.find_model(str(tmp_path), "") == str(tmp_path)


def test_a_hub_id_is_left_to_transformers_only_while_the_hub_answers(monkeypatch):
    name = "some/model-that-is-not-here"
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: True)
    assert hub.find_model(name, "copy it") == name
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: False)
    with pytest.raises(InputError, match=r"some/model.* is not on this machine .* cannot be reached; copy it$"):
        hub.find_model(name, "copy it")
    with pytest.raises(InputError, match=r"no folder, no installed package and no hub id; copy it$"):
        hub.find_model("/nowhere/at all", "copy it")


def test_the_hub_is_looked_for_only_where_it_may_be_asked(monkeypatch):
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(hub.urllib.request, "getproxies", dict)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.example")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub.hub_is_reachable() and tried == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert not hub.hub_is_reachable() and tried == [("hub.example", 443)]
    monkeypatch.setattr(hub.urllib.request, "getproxies", lambda: {"https": "http://proxy"})
    assert hub.hub_is_reachable()  # only the proxy can tell
