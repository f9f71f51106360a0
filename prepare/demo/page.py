"""The page of demo.py: a sentence becomes a motion, a motion file becomes a caption, on this machine alone.

Built with gradio (optional). What plays is our own player in a frame; nothing is fetched from anywhere.
"""

import html
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from models.inference.asking import MotionWish, describe_motion, generate_motions
from models.inference.motion_llm import MotionLLM
from models.inference.results import save_motions
from models.reporting.live import captions_page, motions_page
from options.demo import DemoSettings
from utils.errors import InputError
from utils.motion_files.write import AMASS_ENDING

_FILES = (".bvh", ".glb", ".gif", ".png", ".html", ".npy", ".json")
_EXAMPLES = (
    "a person walks forward and turns to the left.",
    "a person walks in a circle.",
    "a person waves with the right hand.",
    "a person kicks with the left leg.",
)
_EMPTY = "<p style='opacity:.6'>the motion appears here</p>"


def open_page(settings: DemoSettings) -> None:
    """Serve the page until Ctrl-C. Raises InputError where gradio is not installed."""
    # It asks its makers for updates and counts its users otherwise: nothing leaves this machine.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError:
        raise InputError(
            'the page needs gradio: pip install gradio. Without it: python demo.py --caption "a person walks" --out '
            "walk.html"
        ) from None
    page = build_page(gradio, settings)
    place = {"server_name": settings.page.host, "server_port": _free_port(settings)}
    page.launch(**place, inbrowser=False, show_error=True, prevent_thread_lock=True)
    try:
        while page.is_running:  # gradio's own wait takes an interrupt for an end like any other
            time.sleep(0.1)
    finally:
        page.close()


def build_page(gradio: Any, settings: DemoSettings) -> Any:
    """The page as gradio's Blocks."""
    answers = Answers(settings)
    with gradio.Blocks(title="MoRL", analytics_enabled=False) as page:
        gradio.Markdown("# MoRL\nType what a person should do, or upload a motion and have it described.")
        with gradio.Tab("text to motion"):
            caption = gradio.Textbox(label="Caption", value=_EXAMPLES[0], elem_id="caption")
            with gradio.Row():
                seconds = gradio.Slider(0, 10, 0, step=0.2, label="Seconds (0: the model decides)")
                samples = gradio.Slider(1, 4, 1, step=1, label="Motions")
                seed = gradio.Number(0, label="Seed", precision=0)
                search = gradio.Checkbox(False, label="Chain-of-Motion", elem_id="search")
            make = gradio.Button("Generate", variant="primary", elem_id="generate")
            reasoning = gradio.Textbox(label="Reasoning", interactive=False, elem_id="reasoning")
            shown = gradio.HTML(_EMPTY, elem_id="motion")
            files = gradio.File(label="Download", file_count="multiple", elem_id="files")
            gradio.Examples([[example] for example in _EXAMPLES], [caption])
            make.click(answers.motion, [caption, seconds, samples, seed, search], [reasoning, shown, files])
        with gradio.Tab("motion to text"):
            upload = gradio.File(label="Motion (.bvh, .npy, .npz)", elem_id="upload")
            describe = gradio.Button("Describe", variant="primary", elem_id="describe")
            answer = gradio.Textbox(label="Caption", interactive=False, elem_id="answer")
            seen = gradio.HTML(_EMPTY, elem_id="seen")
            describe.click(answers.captions, [upload], [answer, seen])
    return page


class Answers:
    """What the buttons do."""

    def __init__(self, settings: DemoSettings) -> None:
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="morl-demo-"))
        self._count = 0

    def motion(
        self, caption: str, seconds: float, samples: float, seed: float, search: bool
    ) -> tuple[str, str, list[str]]:
        """(reasoning, player, files to download)"""
        llm = self._model("t2m")
        length = self._settings.length
        try:
            wish = MotionWish(
                seconds=seconds or None,
                samples=int(samples),
                seed=int(seed or 0),
                temperature=length.temperature,
                top_p=length.top_p,
                search=self._settings.search(llm) if search else None,
            )
            made = generate_motions(llm, [caption or ""], wish)
        except InputError as error:
            raise self._said(error) from None
        self._count += 1
        files, bodies = [], self._settings.reading.body_models
        for ending in (*_FILES, *((".mp4",) if shutil.which("ffmpeg") else ()), *((AMASS_ENDING,) if bodies else ())):
            path = self._folder / f"motion-{self._count}{ending}"
            files += [str(file) for file in save_motions(path, made, self._settings.demo.rig, bodies)]
        return made[0].reasoning, _frame(motions_page(made, llm.language.motion_tokenizer)), files

    def captions(self, path: str | None) -> tuple[str, str]:
        """(captions, player) of an uploaded file"""
        llm = self._model("m2t")
        try:
            if path is None:
                raise InputError("upload a motion first: .bvh, .npy (joints or features) or AMASS .npz")
            motion = self._settings.read(path, llm.language.motion_tokenizer.skeleton)
            windows = describe_motion(llm, motion)
        except InputError as error:
            raise self._said(error) from None
        lines = [f"{window.start:.1f} to {window.end:.1f} s: {window.caption}" for window in windows]
        text = windows[0].caption if len(windows) == 1 else "\n".join(lines)
        return text, _frame(captions_page({Path(path).name: windows}))

    def _model(self, task: str) -> MotionLLM:
        try:
            return self._settings.model(task)
        except InputError as error:
            raise self._said(error) from None

    @staticmethod
    def _said(error: InputError) -> Exception:
        import gradio

        return gradio.Error(str(error))


def _frame(page: str) -> str:
    """A whole page inside of another one."""
    return f'<iframe title="motion" style="width:100%;height:44rem;border:0" srcdoc="{html.escape(page)}"></iframe>'


def _free_port(settings: DemoSettings) -> int:
    """--port, or the next one that nobody listens on."""
    import socket

    for port in range(settings.page.port, min(settings.page.port + 50, 65536)):
        with socket.socket() as probe:
            if probe.connect_ex((settings.page.host.replace("0.0.0.0", "127.0.0.1"), port)) != 0:
                return port
    raise InputError(f"--port {settings.page.port}: taken, and so are the 50 after it")
