"""What the shipped words know of captions that come without tokens, with and without the list of common words.

    python -m tests.benchmarks.caption_tags

prints, for Bandai-Namco's captions (`../shared/data/bnr/texts`, tagged by spaCy) the share of tokens that are the same
and of words that are unknown, and the latter for KIT-ML's captions, which have no tokens.
"""

import argparse

from dataset.captions.common_words import common_pairs
from dataset.captions.files import read_caption_file
from dataset.captions.tagger import UNKNOWN_CLASS, CaptionTagger
from dataset.toy.lexicon import lexicon_pairs
from tests.places import SHARED
from utils.files.json_files import read_json

_DATA = SHARED / "data"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    tagged = [caption for path in sorted((_DATA / "bnr/texts").glob("*.txt")) for caption in read_caption_file(path)]
    clips = read_json(_DATA / "kit_captions/annotations.json", "")
    plain = [annotation["text"] for clip in clips.values() for annotation in clip["annotations"]]
    for name, pairs in (("toy lexicon", lexicon_pairs()), ("and common words", [*lexicon_pairs(), *common_pairs()])):
        tagger = CaptionTagger.from_pairs(pairs)
        made = [(tagger.tag(caption.text), caption.tokens) for caption in tagged]
        both = [pair for ours, theirs in made if len(ours) == len(theirs) for pair in zip(ours, theirs, strict=True)]
        same = sum(ours == theirs for ours, theirs in both) / len(both)
        print(f"{name}: Bandai-Namco, {len(tagged)} captions, {len(both)} words: {same:.1%} the same")
        _print_unknown("Bandai-Namco", [ours for ours, _ in made])
        _print_unknown("KIT-ML", [tagger.tag(text) for text in plain])


def _print_unknown(name: str, captions: list[tuple[str, ...]]) -> None:
    tokens = [token for caption in captions for token in caption]
    unknown = [token for token in tokens if token.endswith(f"/{UNKNOWN_CLASS}")]
    share = len(unknown) / len(tokens)
    print(f"  {name}: {share:.1%} of {len(tokens)} words unknown, {len(set(unknown))} different ones")


if __name__ == "__main__":
    main()
