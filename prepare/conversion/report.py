"""What a conversion says at its end: one line of counts, and a note on each thing that its user may not expect."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from dataset.humanml.splits import FEWEST_CLIPS, HELD_OUT, SPLITS, is_mirror_of
from dataset.sources.clip_writer import ClipWriter
from dataset.sources.cutting import goes_beyond, longest_whole
from dataset.sources.record import RECORD_FILE
from prepare.conversion.plan import Captions
from utils.wording import listed


def summary(
    writer: ClipWriter,
    earlier: Mapping[str, str],
    captions: Captions,
    gone: Sequence[str],
    recut: Sequence[str],
    splits: Mapping[str, Sequence[str]],
    bad: Mapping[str, str],
    about: str,
) -> str:
    """Counts and notes.

    Args:
        earlier: the split of each clip before this run.
        gone: clips whose source is not there any more.
        recut: clips whose take is cut otherwise now.
        splits: ids by split.
        bad: reasons by id.
        about: of the captions, in words.
    """
    counts = ", ".join(f"{name} {len(members)}" for name, members in splits.items())
    there = len({id for members in splits.values() for id in members}) - len(writer.lengths)
    told = "no captions" if about == "none" else about
    line = (
        f"{writer.root}: {len(writer.lengths)} clips converted, {there} already there, {len(bad)} bad; {counts}; "
        f"skeleton of {writer.config.target}; {told}"
    )
    about_captions = _notes_on_captions(writer, captions)
    about_splits = _notes_on_splits(earlier, splits)
    with_sources = {id for ids in splits.values() for id in ids}.union(bad).difference(gone)
    about_clips = _notes(writer, gone, recut, with_sources)
    notes = [f"note: {note}" for note in [*about_captions, *about_clips, *about_splits]]
    return "\n".join([line, *notes, *_warning_of_times(writer, captions, bad), *_warning_of_splits(splits)])


def _notes(
    writer: ClipWriter, gone: Sequence[str], recut: Sequence[str], have_sources: Container[str]
) -> Iterator[str]:
    if writer.kept_statistics:
        yield (
            f"Mean.npy and Std.npy in {writer.root} hold other values than this program wrote there: they are kept; "
            "delete both and run the same command again to have those of the clips"
        )
    if writer.adopted:
        yield (
            f"{len(writer.adopted)} clips were made before {RECORD_FILE} said from what, and are taken as they are, "
            f"since they are newer than their sources; in another --out-dir all are made anew"
        )
    images = [id for id in gone if is_mirror_of(id, have_sources)]
    gone = [id for id in gone if id not in images]
    if images:
        yield (
            f"{_some(images)} stay as they are: only with --mirror do mirror images follow their originals, and new "
            "clips get one"
        )
    if recut:
        yield (
            f"{_some(recut)} are of an earlier cutting, of takes that are cut otherwise now or cannot be read: they "
            "are in no split any more, and their files may be deleted"
        )
    if gone:
        yield f"{_some(gone)} stay, though what they were made from is not there any more"


def _notes_on_captions(writer: ClipWriter, captions: Captions) -> Iterator[str]:
    skeleton = writer.skeleton
    if captions.advice is not None:
        yield captions.advice
    outside = [id for id, length in writer.lengths.items() if not skeleton.min_frames <= length < skeleton.max_frames]
    if outside and captions.about is not None:
        yield (
            f"{len(outside)} of them are not of {skeleton.min_frames} to {skeleton.max_frames - 1} frames: "
            "text-motion training and evaluation leave those out, as published"
        )
    long = [id for id in outside if writer.lengths[id] >= skeleton.max_frames]
    if long:
        yield (
            f"{_some(long)} are longer than {longest_whole(skeleton):g} seconds, the most that text-motion training "
            f"and evaluation take: --cut-seconds {longest_whole(skeleton):g} cuts such takes into parts"
        )
    wordless = [id for id, given in captions.given.items() if not given.captions]
    if wordless:
        yield (
            f"{_some(wordless)} have no caption: those of their takes are about other parts; only tokenizers are "
            "trained on them"
        )
    if writer.told:
        yield f"{len(writer.told)} clips that were there already got the captions given"
    if captions.kept:
        yield f"--texts-dir has nothing for {_some(captions.kept)}: they keep the captions they have"
    if writer.kept_texts:
        yield (
            f"{_some(writer.kept_texts)} keep captions in {writer.root / 'texts'} that this command did not write; "
            "remove those files to have the given ones"
        )


def _notes_on_splits(earlier: Mapping[str, str], splits: Mapping[str, Sequence[str]]) -> Iterator[str]:
    of_train = [id for name in HELD_OUT for id in splits.get(name, ()) if earlier.get(id) == "train"]
    if of_train:
        yield f"{_some(of_train)} were trained on so far and are held out now: models from before have seen them"
    of_held_out = [id for id in splits["train"] if earlier.get(id) in HELD_OUT]
    if of_held_out:
        yield f"{_some(of_held_out)} were held out so far and are trained on now, as --splits-dir says"
    in_a_split = {id for name, ids in splits.items() if name != "all" for id in ids}
    unlisted = [id for id in splits.get("all", ()) if id not in in_a_split]
    if unlisted:
        yield f"{_some(unlisted)} are in no split: --splits-dir, or whoever edited the split files, left them out"
    empty = [f"{name}.txt" for name in SPLITS if not splits.get(name)]
    if empty:
        yield (
            f"{', '.join(empty)} without a clip, and training and evaluation need all three: from {FEWEST_CLIPS} clips "
            "on (a clip and its mirror image count as one, and so do all parts of a take) each split gets one, so add "
            "clips and run the same command again, or list them by --splits-dir"
        )


def _warning_of_times(writer: ClipWriter, captions: Captions, bad: Container[str]) -> Iterator[str]:
    whole = {id: given for id, given in captions.given.items() if id not in bad}
    late = [id for id, given in whole.items() if goes_beyond(given.captions, writer.seconds(id))]
    if late := [*captions.late, *late]:
        yield (
            f"warning: captions of {_some(late)} are of times that the clip does not have (start and end are seconds "
            "of it, the end after the start): what it does not have is left out"
        )


def _warning_of_splits(splits: Mapping[str, Sequence[str]]) -> Iterator[str]:
    counts = Counter(id for name in SPLITS for id in splits.get(name, ()))
    several = [id for id, count in counts.items() if count > 1]
    if several:
        yield (
            f"warning: {_some(several)} are in more than one of train, val and test, as --splits-dir says: results on "
            "them do not tell how a model does on motions that it has not seen"
        )


def _some(ids: Sequence[str]) -> str:
    return f"{len(ids)} clips ({listed(ids)})" if len(ids) > 1 else f"1 clip ({listed(ids)})"
