"""How many captions claim something that can be checked, and whether true captions hold and turned ones fail.

    python -m tests.benchmarks.claims_on_captions --clips 500 --seed 12 --split test

prints verdicts on the claims of true captions and reasonings (toy clips, and the real pack beside the repository), how
often a caption fails after one of its facts is turned round, and the coverage of KIT-ML's captions. `--grammar` prints
the rules instead.
"""

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from dataset.claims.claims import claims_of
from dataset.claims.grammar import grammar
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.facts.verdicts import verdict
from dataset.toy.clips import toy_clips
from tests.dataset.actions.truth import pack_pairs
from tests.places import SHARED
from tests.rewards.motion_pack import PACK
from utils.files.json_files import read_json
from utils.motion.skeleton import T2M

_KIT = SHARED / "data/kit_captions/annotations.json"
_TURNS = {
    "left for right": {"left": "right", "right": "left", "clockwise": "counterclockwise",
                       "counterclockwise": "clockwise"},
    "times": {"once": "three times", "twice": "four times", "two times": "four times", "four times": "twice"},
    "steps": {"two steps": "five steps", "four steps": "seven steps", "six steps": "three steps"},
    "pace": {"slowly": "quickly", "quickly": "slowly", "slow pace": "quick pace", "quick pace": "slow pace"},
}  # fmt: skip

_Clip = tuple[MotionFacts, Sequence[str], Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--split", default="test")
    parser.add_argument("--grammar", action="store_true")
    args = parser.parse_args()
    if args.grammar:
        print(grammar())
        return
    toy = [
        (motion_facts(clip.joints, T2M), [caption.text for caption in clip.captions], clip.reasoning)
        for clip in toy_clips(args.clips, args.seed)
    ]
    _print_clips("toy", toy)
    if PACK.is_file():
        _print_clips("pack", [(facts, row["captions"], [row["reasoning"]]) for _, facts, row in pack_pairs(args.split)])
    if _KIT.is_file():
        texts = [one["text"] for clip in read_json(_KIT, "").values() for one in clip["annotations"]]
        claims = [claims_of(text) for text in texts]
        share = sum(map(bool, claims)) / len(texts)
        print(f"KIT-ML: {len(texts)} captions, {share:.1%} with a claim, {sum(map(len, claims)) / len(texts):.2f} each")


def _print_clips(name: str, clips: Sequence[_Clip]) -> None:
    for kind, texts in (("captions", 1), ("reasonings", 2)):
        pairs = [(text, clip[0]) for clip in clips for text in clip[texts]]
        verdicts = Counter(verdict(claim, facts) for text, facts in pairs for claim in claims_of(text))
        covered = sum(bool(claims_of(text)) for text, _ in pairs) / len(pairs)
        shares = ", ".join(f"{word} {verdicts[value] / verdicts.total():.2%}" for word, value in
                           (("hold", True), ("fail", False), ("unknown", None)))  # fmt: skip
        print(f"{name}, true {kind}: {len(pairs)}, {covered:.1%} with a claim; of {verdicts.total()} claims {shares}")
    for what, table in _TURNS.items():
        _print_turned(f"{name}, {what}", clips, lambda text, _, table=table: _turned(text, table))
    rng = random.Random(0)
    _print_turned(f"{name}, caption of another clip", clips, lambda _, own: _other(clips, own, rng))


def _print_turned(name: str, clips: Sequence[_Clip], change: Callable[[str, Sequence[str]], str]) -> None:
    pairs = [(change(text, clip[1]), text, clip[0]) for clip in clips for text in clip[1]]
    others = [(text, facts) for text, before, facts in pairs if text != before]
    failing = sum(any(verdict(claim, facts) is False for claim in claims_of(text)) for text, facts in others)
    print(f"{name}: {len(others)} captions, {failing / max(len(others), 1):.1%} fail")


def _turned(text: str, table: dict[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(table)})\b", lambda match: table[match.group()], text)


def _other(clips: Sequence[_Clip], own: Sequence[str], rng: random.Random) -> str:
    text = rng.choice(clips)[1][0]
    return own[0] if text in own else text


if __name__ == "__main__":
    main()
