"""The player in a real Chromium: it draws a person, follows keys, pointer and bar, and fits a phone."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dataset.toy.clips import toy_clips
from tests.chromium import Browser, needs_chromium
from utils.motion.skeleton import T2M
from utils.report.player import Mark, PlayedMotion, page, player

pytestmark = needs_chromium
LEFT, RIGHT = (47, 111, 214), (217, 80, 63)  # of page.css, in the light
PLAYER = "document.querySelector('.player')"
MARKS = (Mark(0.2, 0.9, "turns 90 degrees left", True), Mark(0.5, 1.0, "right hand is up", False, 1))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def clips():
    return [clip.joints for clip in toy_clips(4, seed=0)]


@pytest.fixture
def show(browser, tmp_path):
    """motions -> the page, with its player ready at the first frame."""

    def shown(motions, marks=(), **window):
        played = [PlayedMotion(f"motion {number}", joints) for number, joints in enumerate(motions)]
        text = page("a page", f"<section class='card'>{player('one', played, T2M, 20, marks)}</section>")
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        opened = browser.open(tmp_path / "page.html", **window)
        opened.wait(f"{PLAYER}.player")
        return opened

    return shown


def standing(frames=60):
    """Faces the camera's side (+Z), does not move."""
    joints = np.zeros((T2M.num_joints, 3))
    for joint, parent in enumerate(T2M.parents):
        if parent >= 0:
            joints[joint] = joints[parent] + 0.25 * T2M.directions()[joint]
    joints[:, 1] -= joints[:, 1].min()
    return np.repeat(joints[None], frames, axis=0)


def canvas(page, number=0):
    """The pixels (H, W, 4) of one motion."""
    url = page.run(f"document.querySelectorAll('canvas')[{number}].toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"), int)


def near(pixels, colour):
    """Where a colour is."""
    return (np.abs(pixels[..., :3] - colour) < 40).all(-1) & (pixels[..., 3] > 200)


def frame(page):
    return float(page.run(f"{PLAYER}.dataset.frame"))


def look_ahead(page):
    """Turn the camera so that it looks along -Z."""
    page.run(f"{PLAYER}.player.camera.yaw = 0, {PLAYER}.player.draw()")


def test_a_person_is_drawn_and_nothing_is_fetched_or_complained_about(show, clips):
    page = show([clips[0]])
    pixels = canvas(page)
    assert near(pixels, LEFT).sum() > 300 and near(pixels, RIGHT).sum() > 300
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 50
    assert page.problems() == []
    assert [url for url in page.requested() if not url.startswith("file:")] == []


def test_the_figure_is_not_mirrored_stands_upright_on_its_shadow_and_is_not_cut_off(show):
    page = show([standing()])
    look_ahead(page)
    pixels = canvas(page)
    left, right = (np.argwhere(near(pixels, colour)) for colour in (LEFT, RIGHT))
    assert left[:, 1].mean() > right[:, 1].mean() + 20  # it faces us: its left is on our right
    height, width = pixels.shape[:2]
    body = np.concatenate([left, right])
    assert body.min() > 5 and body[:, 0].max() < height - 5 and body[:, 1].max() < width - 5
    # Of the joints on the ground the picture is below that of all others.
    feet = page.run(
        f"(() => {{ const p = {PLAYER}.player, v = p.views[0], c = p.camera.seeing([0, 0.48 * p.data.height, 0], "
        "v.canvas.clientWidth, v.canvas.clientHeight, p.data.height);"
        "return v.between(0).map(([x, y, z]) => [y, c.project([x, y, z])[1], c.project([x, 0, z])[1]]); })()"
    )
    lowest = min(feet)
    assert lowest[0] == pytest.approx(0, abs=1e-3) and lowest[1] == pytest.approx(lowest[2], abs=1)
    assert max(feet)[1] < lowest[1] - height / 3


def test_raised_arms_and_a_jump_stay_in_the_picture(show):
    joints = standing()
    for joint, name in enumerate(T2M.joint_names):
        if "elbow" in name or "wrist" in name:
            joints[:, joint, 1] = joints[:, T2M.joint("head"), 1] + (0.3 if "wrist" in name else 0.0)
    joints = joints * (1.75 / joints[..., 1].max() * 1.2)
    joints[30:, :, 1] += 0.4
    page = show([joints])
    page.run(f"{PLAYER}.player.seek(40)")
    drawn = np.argwhere(near(canvas(page), LEFT) | near(canvas(page), RIGHT))
    assert drawn.min() > 0 and drawn[:, 0].max() < canvas(page).shape[0] - 1


def test_the_browser_reads_the_numbers_that_were_written(show, clips):
    page = show([clips[0]])
    read = page.run(f"[0, 17, 40].map((frame) => {PLAYER}.player.views[0].between(frame))")
    assert np.abs(np.array(read) - clips[0][[0, 17, 40]]).max() < 0.00051


def test_scrubbing_moves_the_figure(show, clips):
    page = show([clips[0]])
    before = canvas(page)
    x, y = page.middle(".scrub")
    page.drag((x, y), (x + 1, y))
    page.wait(f"{PLAYER}.dataset.frame > 5")
    assert frame(page) == pytest.approx((len(clips[0]) - 1) / 2, abs=2)
    assert (np.abs(canvas(page) - before).max(-1) > 60).sum() > 500
    assert page.run("document.querySelector('.clock').textContent").startswith(f"{frame(page) / 20:.1f} / ")


def test_keys_play_pause_step_jump_and_change_the_speed(show, clips):
    page = show([clips[0]])
    page.run(f"{PLAYER}.focus()")
    page.key("ArrowRight")
    page.key("ArrowRight")
    assert frame(page) == 2
    page.key("ArrowLeft")
    assert frame(page) == 1
    page.key("End")
    assert frame(page) == len(clips[0]) - 1
    page.key("Home")
    assert frame(page) == 0
    page.key("ArrowUp")
    assert page.run("document.querySelector('.pace').textContent") == "2×"
    page.key("ArrowDown")
    page.key("ArrowDown")
    assert page.run("document.querySelector('.pace').textContent") == "0.5×"
    page.key(" ")
    page.wait(f"{PLAYER}.dataset.frame > 2")
    page.key(" ")
    stopped = frame(page)
    assert page.run(f"new Promise(done => setTimeout(() => done({PLAYER}.dataset.frame), 200))") == f"{stopped:.2f}"
    assert page.run("scrollY") == 0  # space and arrows are the player's while it has the focus
    assert page.problems() == []


def test_time_passes_at_the_speed_that_is_shown(show, clips):
    page = show([clips[0]])
    passed = (
        f"new Promise(done => {{ const p = {PLAYER}.player; p.seek(0); p.speed = SPEED; p.toggle(); "
        "const from = performance.now(); setTimeout(() => { const seconds = (p.last - from) / 1000; p.pause(); "
        "done([p.time / 20, seconds]); }, 700); })"
    )
    for speed in (0.5, 2):
        played, seconds = page.run(passed.replace("SPEED", str(speed)))
        assert played == pytest.approx(speed * seconds, abs=0.06)


def test_dragging_looks_around_and_a_double_click_comes_back(show, clips):
    page = show([clips[0], clips[1]])
    before = canvas(page), canvas(page, 1)
    x, y = page.middle("canvas")
    page.drag((x, y), (x + 120, y + 30))
    turned = canvas(page), canvas(page, 1)
    for number in (0, 1):  # all of them turn together
        assert (np.abs(turned[number] - before[number]).max(-1) > 60).sum() > 500
    page.run("document.querySelector('canvas').dispatchEvent(new MouseEvent('dblclick'))")
    assert (canvas(page) == before[0]).all()


def test_several_motions_play_in_step_and_a_short_one_waits_at_its_end(show, clips):
    page = show([clips[0], clips[0][:10]])
    ends = []
    for number in (9, 25):
        page.run(f"{PLAYER}.player.seek({number})")
        ends.append((canvas(page), canvas(page, 1)))
    # At the same moment both show the same (the grid below may differ where their ways do).
    assert (near(ends[0][0], LEFT) == near(ends[0][1], LEFT)).mean() > 0.99
    assert (ends[0][1] == ends[1][1]).all() and (ends[0][0] != ends[1][0]).any()


def test_marks_lie_at_their_times_and_say_what_was_measured(show, clips):
    page = show([clips[0], clips[1]], MARKS)
    track = page.boxes(".scrub")[0]
    total = (max(len(clips[0]), len(clips[1])) - 1) / 20
    boxes = page.boxes(".mark")
    for box, mark in zip(boxes, MARKS, strict=True):
        assert (box["x"] - track["x"]) / track["width"] == pytest.approx(mark.start / total, abs=0.01)
        assert box["width"] / track["width"] == pytest.approx((mark.end - mark.start) / total, abs=0.01)
    assert page.run("[...document.querySelectorAll('.mark')].map(one => one.className)") == ["mark holds", "mark fails"]
    assert boxes[1]["y"] - boxes[0]["y"] >= 6  # a row each
    told = "[...document.querySelectorAll('.told span')].map(one => one.className + ' ' + one.textContent)"
    assert page.run(told) == []
    page.click(".mark.fails")
    assert frame(page) == 10
    assert page.run(told) == ["holds ✓ turns 90 degrees left", "fails ✗ right hand is up"]


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything_without_scrolling_sideways(show, clips, dark):
    page = show(clips[:4], MARKS, width=390, height=844, phone=True, dark=dark)
    assert page.run("document.documentElement.scrollWidth") <= 390
    boxes = page.boxes("canvas, button, .clock")
    assert all(box["x"] >= 0 and box["right"] <= 390 for box in boxes)
    assert all(box["height"] >= 44 for box in page.boxes("button"))  # a finger's width
    assert page.boxes(".told")[0]["bottom"] < 844  # four motions and their bar in one sight
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 22, 27)" if dark else "rgb(255, 255, 255)")
    assert page.problems() == []


def test_a_page_of_many_players_makes_only_those_that_are_seen(browser, tmp_path, clips):
    many = "".join(player(f"p{number}", [PlayedMotion("", clips[0])], T2M, 20) for number in range(30))
    (tmp_path / "many.html").write_text(page("many", many), encoding="utf-8")
    opened = browser.open(tmp_path / "many.html")
    opened.wait(f"{PLAYER}.player")
    assert 0 < opened.run("document.querySelectorAll('canvas').length") < 10
    opened.run("scrollTo(0, document.body.scrollHeight)")
    opened.wait("[...document.querySelectorAll('.player')].at(-1).player")
    assert opened.problems() == []
