"""What demo.py is asked for, and what it writes."""

from dataclasses import dataclass, field
from pathlib import Path

from options.flags.parsing import flag, need
from utils.motion_files.rigs import RIGS


@dataclass
class DemoFlags:
    """What is asked of which model."""

    _argument_group_name = "demo"

    ckpt: list[str] = field(
        default_factory=list,
        metadata={
            "help": "checkpoint of train_mllm.py, folder of prepare.export_hf, or hub id of one; two where t2m and m2t "
            "are two models; default: the newest in OUT_DIR"
        },
    )
    caption: list[str] = field(
        default_factory=list, metadata={"help": "sentences that become motions; none and no --motion: a page opens"}
    )
    captions: str | None = flag(None, "text file of sentences, one a line")
    motion: list[str] = field(
        default_factory=list, metadata={"help": "motions to describe: .bvh, .npy (joints or features), .npz (AMASS)"}
    )
    out: list[str] = field(
        default_factory=list,
        metadata={
            "help": "files to write: .gif .mp4 .png .html (motions side by side), .bvh .glb .npy .npz .json (one a "
            "motion; .npz, as AMASS has it, with --body-models)"
        },
    )
    rig: str = flag("mixamo", f"joint names of .bvh and .glb: {', '.join(RIGS)}")
    facts: bool = flag(False, "print what was measured of each motion")

    def __post_init__(self) -> None:
        need(self.rig in RIGS, f"--rig: expected {', '.join(RIGS)}, got {self.rig}")
        need(len(self.ckpt) <= 2, f"--ckpt: expected one or two models, got {len(self.ckpt)}")
        asked = bool(self.caption or self.captions)
        need(not (asked and self.motion), "give captions or --motion, not both")
        need(not self.out or asked or bool(self.motion), "--out: nothing to write without --caption or --motion")
        need(all(Path(path).suffix for path in self.out), "--out: every file needs an ending, such as walk.gif")


@dataclass
class LengthFlags:
    """How long motions are, and how they are drawn."""

    _argument_group_name = "motions"

    seconds: float | None = flag(None, "length of a motion, exact to one code (0.2 s); default: the model decides")
    min_seconds: float | None = flag(None, "shortest length; default: that of one code")
    max_seconds: float | None = flag(None, "longest length; default: the longest that the data set's protocol knows")
    start: str | None = flag(None, "motion file to go on from (.bvh, .npy, .npz); lengths count what is added")
    join: bool = flag(False, "the captions follow one another in one long motion")
    samples: int = flag(1, "motions for each caption")
    temperature: float = flag(0.7, "sampling temperature; 0 = greedy")
    top_p: float = flag(1.0, "nucleus")

    def __post_init__(self) -> None:
        for name in ("seconds", "min_seconds", "max_seconds"):
            value = vars(self)[name]
            need(value is None or 0 < value < 3600, f"--{name.replace('_', '-')} must be above 0 and below 3600")
        bounds = self.min_seconds is not None or self.max_seconds is not None
        need(self.seconds is None or not bounds, "--seconds goes without --min-seconds and --max-seconds")
        need(self.samples > 0, "--samples must be positive")
        need(0 <= self.temperature < 100, "--temperature must not be negative")
        need(0 < self.top_p <= 1, "--top-p must be in (0, 1]")


@dataclass
class ReadingFlags:
    """How motion files are read."""

    _argument_group_name = "reading motions"

    mapping: str = flag("auto", "joint table of .bvh: auto, the name of a shipped one, or the path of a .yaml file")
    unit: str = flag(
        "auto", "unit of lengths: m, cm, mm, inch, cmu or metres as a number; auto: the joint table's, else by the legs"
    )
    up: str | None = flag(None, "axis that points up: x, y, z, -x, -y, -z; default: the joint table's, else y")
    fps: float | None = flag(None, "frame rate of the files; default: their own, or that of the model's motions")
    body_models: str | None = flag(None, "folder of SMPL bodies, needed to read and to write AMASS .npz")
    any_posture: bool = flag(False, "take also what does not look like a person with its left on the left")

    def __post_init__(self) -> None:
        need(self.fps is None or 0 < self.fps < 10_000, "--fps must be positive")


@dataclass
class PageFlags:
    """The page."""

    _argument_group_name = "page"

    host: str = flag("127.0.0.1", "address that the page listens on; 0.0.0.0 opens it to the network")
    port: int = flag(7860, "its port; the next free one where it is taken")

    def __post_init__(self) -> None:
        need(0 < self.port < 65536, "--port must be between 1 and 65535")
