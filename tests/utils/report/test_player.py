"""Pages with motions: whole millimetres, nothing fetched, hostile words stay words."""

import base64
import json
import re
import zlib

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M
from utils.report.player import Mark, PlayedMotion, json_for_html, page, player

HOSTILE = "</script><img src=x onerror=alert(1)><!-- a"


def walking(frames=10):
    return np.cumsum(np.full((frames, T2M.num_joints, 3), 0.0123), axis=0)


def data_of(html):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)[1])


def unpacked(motion):
    """(T, J, 3) millimetres, as `player.js` reads them."""
    low, high = np.frombuffer(zlib.decompress(base64.b64decode(motion["joints"])), np.uint8).reshape(2, -1)
    steps = (low.astype(np.uint16) | (high.astype(np.uint16) << 8)).reshape(-1, motion["frames"])
    return np.cumsum(steps, axis=1, dtype=np.uint16).astype(np.int16).T.reshape(motion["frames"], -1, 3)


def test_motions_are_kept_to_the_millimetre():
    joints = np.random.default_rng(0).uniform(-30, 30, (7, T2M.num_joints, 3))  # steps of more than int16 holds
    data = data_of(player("a", [PlayedMotion("one", joints)], T2M, 20))
    [motion] = data["motions"]
    assert np.abs(unpacked(motion) / 1000 - joints).max() <= 0.0005 + 1e-9
    assert (motion["frames"], data["fps"], len(data["bones"])) == (7, 20, T2M.num_joints - 1)


def test_a_motion_of_a_person_takes_less_than_half_of_its_numbers():
    for clip in toy_clips(3, seed=0):
        [motion] = data_of(player("a", [PlayedMotion("", clip.joints)], T2M, 20))["motions"]
        assert len(motion["joints"]) < clip.joints.size * 2 * 4 / 3 / 2


def test_bones_know_their_side():
    data = data_of(player("a", [PlayedMotion("", walking())], T2M, 20))
    sides = {T2M.joint_names[joint]: side for _, joint, side in data["bones"]}
    assert sides["left_wrist"] == sides["left_foot"] == "left" and sides["right_knee"] == "right"
    assert sides["head"] == sides["left_hip"] == "centre"
    kit = np.repeat(np.random.default_rng(0).uniform(0, 1, (1, KIT.num_joints, 3)), 3, axis=0)
    assert len(data_of(player("b", [PlayedMotion("", kit)], KIT, 12.5))["widths"]) == KIT.num_joints


def test_a_way_beyond_the_reach_of_the_numbers_stops_there_instead_of_coming_back():
    far = np.full((2, T2M.num_joints, 3), 40.0)
    [motion] = data_of(player("a", [PlayedMotion("", far)], T2M, 20))["motions"]
    assert (unpacked(motion) == 32767).all()


@pytest.mark.parametrize("joints", [np.zeros((0, 22, 3)), np.zeros((4, 21, 3)), np.full((4, 22, 3), np.nan)])
def test_what_cannot_be_played_is_refused(joints):
    with pytest.raises(InputError, match="sitting"):
        player("a", [PlayedMotion("sitting", joints)], T2M, 20)
    with pytest.raises(InputError, match="at least one"):
        player("a", [], T2M, 20)


def test_hostile_words_can_neither_end_the_data_nor_begin_an_element():
    html = player(HOSTILE, [PlayedMotion(HOSTILE, walking())], T2M, 20, [Mark(0, 1, HOSTILE, True)])
    assert html.count("</script>") == 1 and "<img" not in html and "<!--" not in html
    data = data_of(html)
    assert data["motions"][0]["title"] == data["marks"][0]["text"] == HOSTILE
    assert json.loads(json_for_html({"a": "<b>&\u2028"})) == {"a": "<b>&\u2028"}
    assert "<img" not in page(HOSTILE, "")


def test_a_page_names_nothing_outside_of_itself():
    text = page("results", player("a", [PlayedMotion("", walking())], T2M, 20))
    assert not re.search(r"https?:|//[a-z]+\.|@import|\burl\(|<link|\ssrc=|\bimport\(|fetch\(|XMLHttp|WebSocket", text)
    assert text.startswith("<!doctype html>") and 'name="viewport"' in text and '<html lang="en">' in text
