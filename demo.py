"""Ask a trained model: a sentence becomes a motion, a motion file becomes a caption, and both can be looked at.

    python demo.py --caption "a person walks in a circle" --out walk.gif walk.bvh
    python demo.py --caption "a person walks forward" "a person waves" --join --seconds 4 --out both.html
    python demo.py --motion dance.bvh --facts
    python demo.py

The last one opens a page on this machine with all of it (needs: pip install gradio). --ckpt names the model: a
checkpoint of train_mllm.py, a folder of prepare.export_hf, or a hub id; the default is the newest run in experiments/.
"""

from pathlib import Path

from options.demo import DemoSettings
from utils.run.command import quiet_libraries, run_command


def main() -> None:
    settings = DemoSettings.parse(__doc__)
    quiet_libraries()
    if settings.demo.caption or settings.demo.captions:
        show_motions(settings)
    elif settings.demo.motion:
        show_captions(settings)
    else:
        from prepare.demo.page import open_page

        open_page(settings)


def show_motions(settings: DemoSettings) -> None:
    """Sentences in, motions out."""
    from models.inference.asking import generate_motions
    from models.inference.results import check_places, save_motions
    from models.reporting.live import motions_page
    from prepare.demo.console import in_words
    from utils.files.atomic import write_text

    settings.check_outputs()
    captions = settings.captions()
    for path in settings.demo.out:
        check_places(path, settings.count_of(captions))
    llm = settings.model("t2m")
    made = generate_motions(llm, captions, settings.wish(llm))
    for motion in made:
        print(in_words(motion, settings.demo.facts))
    for path in settings.demo.out:
        if Path(path).suffix.lower() == ".html":
            write_text(path, motions_page(made, llm.language.motion_tokenizer))
            written = [path]
        else:
            written = save_motions(path, made, settings.demo.rig, settings.reading.body_models)
        print("wrote " + ", ".join(map(str, written)))
    if not settings.demo.out:
        print("--out walk.gif (or .html, .bvh, .glb, .npy, .npz, .json) writes it into a file")


def show_captions(settings: DemoSettings) -> None:
    """Motion files in, captions out."""
    from models.inference.asking import describe_motion
    from models.inference.results import check_places, save_captions
    from models.reporting.live import captions_page
    from prepare.demo.console import captions_in_words
    from utils.files.atomic import write_text

    settings.check_outputs()
    llm = settings.model("m2t")
    skeleton = llm.language.motion_tokenizer.skeleton
    described = {}
    for path in settings.demo.motion:
        described[path] = describe_motion(llm, settings.read(path, skeleton), settings.run.seed)
        print(captions_in_words(Path(path).name, described[path], settings.demo.facts))
    for path in settings.demo.out:
        check_places(path, sum(map(len, described.values())))
        if Path(path).suffix.lower() == ".html":
            write_text(path, captions_page(described))
            written = [path]
        else:
            written = save_captions(path, described, settings.demo.rig, settings.reading.body_models)
        print("wrote " + ", ".join(map(str, written)))


if __name__ == "__main__":
    run_command(main)
