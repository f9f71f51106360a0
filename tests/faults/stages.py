"""Every stage of the project at its smallest size: its command, what it reads, what it makes."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.captions.word_vectors import make_word_vectors
from dataset.toy.clips import toy_clips
from tests.dataset.sources.amass.synthetic_body_model import walking, write_amass, write_body_model
from tests.dataset.sources.bvh.synthetic_bvh import SHIPPED_METRES, body, bvh_text
from tests.faults.forks import Command
from tests.prepare.random_motions import write_motions, write_published_evaluator

CLIPS = 48
CAPTION = "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"


@dataclass(frozen=True)
class Stage:
    """A command that makes some files and folders of others; all paths are relative to the folder they are in.

    Attributes:
        reads, makes: their names, with spaces between them.
        prepare: writes inputs that no stage makes.
        any_order: lines of its .jsonl may come in any order (answers of a server).
        serves: the command asks a server; `{url}` in its words is the server's address.
    """

    name: str
    module: str
    words: str
    reads: str
    makes: str
    prepare: Callable[[Path], None] | None = None
    any_order: bool = False
    serves: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.reads.split())

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.makes.split())

    def command(self, url: str = "") -> Command:
        return Command(self.module, self.words.replace("{url}", url).split())


def _write_bvh(root: Path) -> None:
    (root / "bvh").mkdir()
    for number in range(8):
        text = bvh_text(body("lafan1"), SHIPPED_METRES["lafan1"], frames=70, frame_time=1 / 30, swing=10 + number)
        (root / f"bvh/b{number}.bvh").write_text(text)
    (root / "bvh_texts").mkdir()
    for number in range(8):
        (root / f"bvh_texts/b{number}.txt").write_text(CAPTION)


def _write_amass(root: Path) -> None:
    poses, trans = walking(200, 60.0)
    for number in range(6):
        write_amass(root / f"amass/KIT/1/a{number}_poses.npz", poses[number:], trans[number:], fps=60.0)
    write_body_model(root / "bodies/smplh/male/model.npz", "smplh")


def _write_joints(root: Path) -> None:
    for name in ("joints", "joints_texts"):
        (root / name).mkdir()
    for clip in toy_clips(16, seed=5):
        np.save(root / f"joints/{clip.id}.npy", clip.joints)
        (root / f"joints_texts/{clip.id}.txt").write_text(CAPTION)


def _write_motions(root: Path) -> None:
    write_motions(root / "data_stats", {"train": 12})
    for name in ("Mean.npy", "Std.npy"):
        (root / "data_stats" / name).unlink()


def _write_glove(root: Path) -> None:
    shutil.rmtree(root / "glove_source", ignore_errors=True)
    make_word_vectors(["walk/VERB"], dim=8).save(root / "glove_source/glove")
    shutil.make_archive(str(root / "glove"), "zip", root / "glove_source")


def _write_published(root: Path) -> None:
    write_published_evaluator(root / "published", root / "published_words")


_CPU = "--device cpu --seed 0 --out-dir ."
_COT = "--cot-train-jsonl cot/cot_train.jsonl --cot-val-jsonl cot/cot_val.jsonl --data-root toy"
_SIZES = "--batch-size 8 --epochs 4 --hidden-size 16 --motion-hidden-size 16 --embedding-size 16"
_EVAL = f"""--eval-task t2m --data-root toy --eval-evaluator ranker --eval-ckpt sft_t2m/motionllm_t2m_best.pth {_CPU}
    --limit 5 --eval-batch-size 2 --max-new-tokens 40 --temperature 0.7 --repeats 2 --mm-texts 4 --mm-repeats 2"""

STAGES = (
    Stage("make_toy_dataset", "prepare.make_toy_dataset", f"--out-dir toy --clips {CLIPS} --seed 0", "", "toy"),
    Stage(
        "motions_from_joints",
        "prepare.motions_from_joints",
        "--joints-dir joints --texts-dir joints_texts --out-dir data_joints --mirror --seed 0",
        "joints joints_texts",
        "data_joints",
        _write_joints,
    ),
    Stage(
        "motions_from_bvh",
        "prepare.motions_from_bvh",
        "--bvh-dir bvh --texts-dir bvh_texts --out-dir data_bvh --seed 0",
        "bvh bvh_texts",
        "data_bvh",
        _write_bvh,
    ),
    Stage(
        "motions_from_amass",
        "prepare.motions_from_amass",
        "--amass-dir amass --body-models bodies --out-dir data_amass --seed 0 --device cpu",
        "amass bodies",
        "data_amass",
        _write_amass,
    ),
    Stage(
        "compute_motion_stats",
        "prepare.compute_motion_stats",
        "--data-root data_stats",
        "data_stats",
        "data_stats/Mean.npy data_stats/Std.npy",
        _write_motions,
    ),
    Stage(
        "train_motion_tokenizer",
        "prepare.train_motion_tokenizer",
        f"""--data-root toy --exp-name tokenizer {_CPU} --nb-code 32 --code-dim 16 --width 16 --depth 1 --batch-size 8
        --lr 1e-3 --warm-up-iter 4 --total-iter 24 --lr-scheduler 16 --eval-iter 6 --print-iter 4""",
        "toy",
        "tokenizer",
    ),
    Stage(
        "encode_motions",
        "prepare.encode_motions",
        "--data-root toy --out codes.jsonl --motion-tokenizer tokenizer/motion_tokenizer.pth --device cpu",
        "toy tokenizer",
        "codes.jsonl codes.source.json",
    ),
    Stage(
        "write_cot_jsonl",
        "prepare.write_cot_jsonl",
        "--codes codes.jsonl --data-root toy --out-dir cot --with-reflections",
        "toy codes.jsonl codes.source.json",
        "cot",
    ),
    Stage(
        "import_cot",
        "prepare.import_cot",
        "--source cot/cot_train.jsonl cot/cot_val.jsonl --out-dir imported",
        "cot",
        "imported",
    ),
    Stage(
        "generate_cot",
        "prepare.generate_cot",
        "--data-root toy --out-dir annotated --model m --base-url {url} --concurrency 3 --limit 8 --timeout 20",
        "toy",
        "annotated",
        any_order=True,
        serves=True,
    ),
    Stage(
        "train_evaluator",
        "prepare.train_evaluator",
        f"--data-root toy --exp-name ranker {_CPU} {_SIZES} --train-word-vectors --learning-rate 1.5e-3",
        "toy",
        "ranker",
    ),
    Stage(
        "make_tiny_llm",
        "prepare.make_tiny_llm",
        "--cot-jsonl cot/cot_train.jsonl --out-dir llm --vocab-size 400 --hidden-size 32 --layers 2 --heads 2",
        "cot",
        "llm",
    ),
    Stage(
        "train_nli",
        "prepare.train_nli",
        """--cot-jsonl cot/cot_train.jsonl --cot-val-jsonl cot/cot_val.jsonl --out-dir nli --seed 0 --device cpu
        --steps 6 --hidden-size 32 --layers 1 --heads 2 --batch-size 8""",
        "cot",
        "nli",
    ),
    Stage(
        "SFT",
        "train_mllm",
        f"""--train-stage sft --training-task t2m {_COT} {_CPU} --exp-name sft_t2m --llm-backbone llm --use-reasoning
        --max-text-len 60 --max-motion-len 40 --epochs-t2m 3 --batch-size 16 --learning-rate 3e-3 --print-iter 2""",
        "toy cot llm tokenizer",
        "sft_t2m",
    ),
    Stage(
        "GRPO",
        "train_mllm",
        f"""--train-stage rlvr --training-task t2m {_COT} {_CPU} --exp-name rlvr_t2m --reward-evaluator ranker
        --rl-reference-ckpt sft_t2m/motionllm_t2m_best.pth --constrain-grammar --disable-rl-component-norm
        --max-text-len 8 --max-motion-len 40 --rl-prompts 4 --rl-eval-prompts 2 --batch-size 2 --rl-group-size 2
        --rl-epochs 2 --learning-rate 1e-3 --lora-r-t2m 4 --lora-alpha-t2m 4 --print-iter 1""",
        "toy cot llm tokenizer sft_t2m ranker",
        "rlvr_t2m",
    ),
    Stage(
        "eval_mllm",
        "eval_mllm",
        f"{_EVAL} --samples 2 --exp-name eval",
        "toy llm tokenizer sft_t2m ranker",
        "eval",
    ),
    Stage(
        "eval_mllm with Chain-of-Motion",
        "eval_mllm",
        f"""{_EVAL} --exp-name eval_com --use-com --com-candidates 2 --com-refine-steps 2 --reward-evaluator ranker
        --allow-judge-as-ranker""",
        "toy llm tokenizer sft_t2m ranker",
        "eval_com",
    ),
    Stage(
        "export_hf",
        "prepare.export_hf",
        "--ckpt sft_t2m/motionllm_t2m_best.pth --out-dir exported",
        "llm sft_t2m",
        "exported",
    ),
    Stage(
        "import_evaluator",
        "prepare.import_evaluator",
        "--published published --word-vectors published_words --out-dir evaluators",
        "published published_words",
        "evaluators",
        _write_published,
    ),
    Stage(
        "render_motion",
        "prepare.render_motion",
        "--data-root toy --id 000000 000001 --out motion.gif --sheet --columns 3 --size 60",
        "toy",
        "motion.gif motion.png",
    ),
    Stage(
        "download",
        "prepare.download",
        "glove --archive glove.zip --dest words",
        "glove.zip",
        "words",
        _write_glove,
    ),
)


def named(name: str | None) -> list[Stage]:
    """The stages whose name holds `name`; all for None."""
    found = [stage for stage in STAGES if name is None or name.lower() in stage.name.lower()]
    if not found:
        raise SystemExit(f"no stage is called {name!r}; there are {', '.join(stage.name for stage in STAGES)}")
    return found
