"""Five BVH files with plain captions lead to a caption for a sixth: the commands of the page, with fewer steps."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from tests.places import ROOT, SHARED
from tests.warm_python import warm_python

BVH = SHARED / "data/bnr/bvh"
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(not BVH.is_dir(), reason="the shared data beside the repository is absent"),
]
CAPTIONS = {
    "dataset-1_bow_feminine_001": "a person bows politely and stands up again",
    "dataset-1_kick_normal_001": "someone kicks with the right leg",
    "dataset-1_walk-back_happy_001": "a person walks backwards",
    "dataset-2_raise-up-left-hand_elderly_008": "an elderly person raises the left hand",
    "dataset-2_walk-turn-left_masculine_012": "a man walks forward and turns to the left",
}
SIXTH = "dataset-1_walk_old_001"
# What makes a command of the page short. The last value of a flag counts.
SMALLER = {
    "prepare.train_motion_tokenizer": "--width 32 --code-dim 32 --nb-code 64 --total-iter 20 --warm-up-iter 5",
    "train_mllm.py": "--epochs-m2t 3 --epochs-val-interval 1",
}


def commands():
    """The commands of the page's section, each as words."""
    page = (ROOT / "dataset/sources/README.md").read_text(encoding="utf-8")
    block = re.search(r"### From five files .*?```bash\n(.*?)```", page, re.DOTALL)[1]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("python ")]


def test_five_files_and_plain_captions_lead_to_a_caption_for_a_sixth(tmp_path):
    for name in ("bvh", "texts"):
        (tmp_path / name).mkdir()
    for id, caption in CAPTIONS.items():
        shutil.copy(BVH / f"{id}.bvh", tmp_path / "bvh")
        (tmp_path / f"texts/{id}.txt").write_text(f"{caption}\n", encoding="utf-8")
    shutil.copy(BVH / f"{SIXTH}.bvh", tmp_path / "sixth.bvh")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    answers = {}
    for _, *words in commands():
        name = words[1] if words[0] == "-m" else words[0]
        script = words[:2] if words[0] == "-m" else [str(ROOT / words[0])]
        given = [*words[len(script) :], *SMALLER.get(name, "").split()]
        answer = subprocess.run(
            [warm_python(environment), *script, *given],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert answer.returncode == 0, f"{name}: {answer.stdout[-1000:]}{answer.stderr[-2000:]}"
        answers[name] = answer.stdout
    assert "5 plain captions tagged by lexicon" in answers["prepare.motions_from_bvh"]
    assert "sixth.bvh" in answers["demo.py"]
