"""The tagger that a data set's own captions teach."""

from dataset.humanml_layout import read_split
from utils.caption_tagger import CaptionTagger
from utils.skeleton import Skeleton


def tagger_of(root: str, skeleton: Skeleton) -> CaptionTagger:
    """What tags generated captions: spaCy where it is installed, else a lexicon of the tagged training captions."""
    records = read_split(root, "train", skeleton)
    return CaptionTagger.default((caption.text, caption.tokens) for record in records for caption in record.captions)
