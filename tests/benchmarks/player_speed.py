"""Milliseconds a frame of the 3D player in headless Chromium on one core, and its memory for a short and a long motion.

    python -m tests.benchmarks.player_speed

A frame is one call of the player's `draw`, timed by the page's own `performance.now` over 300 frames, and ended by
reading one pixel back, so that what Chromium draws later is counted too: the median after 100 more, and what a tenth
stays below, which a busy machine disturbs least. Beside it stands what was seen while playing: frames that
`requestAnimationFrame` gave in 5 s. Memory is the heap of JavaScript after a collection, before and after the frames
were drawn. Chromium draws without a GPU here, and all of it stays on one core.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from dataset.toy.clips import toy_clips
from tests.chromium import Browser
from utils.motion.skeleton import T2M
from utils.report.player import PlayedMotion, page, player

SECONDS = (6, 60)
FRAMES = 300
PLAYER = "document.querySelector('.player').player"
TIMED = f"""(() => {{
  const player = {PLAYER}, context = player.views[0].canvas.getContext("2d");
  const times = [];
  for (let frame = -100; frame < {FRAMES}; frame++) {{
    const from = performance.now();
    player.time = ((frame + 100) * 0.37) % player.end;
    player.draw();
    context.getImageData(0, 0, 1, 1);
    if (frame >= 0) times.push(performance.now() - from);
  }}
  return times;
}})()"""
SEEN = f"""new Promise((done) => {{
  const player = {PLAYER}, draw = player.draw.bind(player);
  let drawn = 0;
  player.draw = () => {{ drawn += 1; draw(); }};
  player.seek(0); drawn = 0; player.toggle();
  setTimeout(() => {{ player.pause(); done(drawn / 5); }}, 5000);
}})"""


def walk(seconds):
    """Clips of the toy people, one after the other and each from where the last one ended."""
    parts, place, needed = [], np.zeros(3), round(seconds * T2M.fps)
    for clip in toy_clips(60, seed=0):
        parts.append(clip.joints + place)
        place = parts[-1][-1, 0] * (1, 0, 1)
        needed -= len(clip.joints)
        if needed <= 0:
            break
    return np.concatenate(parts)[: round(seconds * T2M.fps)]


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # what is started from here stays on one core
    lines = []
    with tempfile.TemporaryDirectory() as folder, Browser(folder) as browser:
        for seconds in (SECONDS[0], *SECONDS):  # the first page waits for Chromium's own start, and is not shown
            file = Path(folder) / f"{seconds}.html"
            motion = PlayedMotion("", walk(seconds))
            file.write_text(page("speed", player("p", [motion], T2M, T2M.fps)), encoding="utf-8")
            shown = browser.open(file)
            shown.wait(PLAYER)
            first = shown.run("(gc(), performance.memory.usedJSHeapSize)")
            times, seen = shown.run(TIMED), shown.run(SEEN)
            fast, median = np.quantile(times, (0.1, 0.5))
            shown.run(f"{PLAYER}.seek({PLAYER}.end)")
            last = shown.run("(gc(), performance.memory.usedJSHeapSize)")
            size = shown.boxes("canvas")[0]
            lines.append(
                f"{seconds:3d} s of motion: {median:.1f} ms a frame of {size['width']:.0f} x {size['height']:.0f} "
                f"pixels (a tenth below {fast:.1f}), "
                f"{seen:.0f} frames a second while playing; heap {first / 1e6:.2f} MB ready, {last / 1e6:.2f} MB played"
            )
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
