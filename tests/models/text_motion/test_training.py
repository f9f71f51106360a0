"""Training finds which motions a caption means, moves every weight, and goes on where it stopped."""

import numpy as np
import pytest
import torch

from dataset.captions.lines import Caption
from dataset.captions.word_vectors import make_word_vectors
from dataset.humanml.layout import MotionRecord
from dataset.humanml.pairs import TextMotionPairs
from models.text_motion.families import GUO, TMR
from models.text_motion.negatives import SimilarCaptions, word_rows
from models.text_motion.real_motion import EmbeddedRecords
from models.text_motion.session import EvaluatorData, EvaluatorSession, SessionConfig
from models.text_motion.sizes import EvaluatorSizes, TransformerSizes
from models.text_motion.trainer import EvaluatorTrainer, TrainerConfig
from utils.errors import InputError
from utils.motion.skeleton import T2M
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

ACTIONS = ("walk", "jump", "kick", "sit")
FAMILIES = {"guo": (GUO, EvaluatorSizes(24, 24, 24, 24, 16, 8)), "tmr": (TMR, TransformerSizes(24, 24, 2, 16, 8))}
MEAN, STD = np.zeros(263, np.float32), np.ones(263, np.float32)


def make_records(count, seed):
    """Clip i does action i modulo 4, which shows as an offset of ten features; captions vary around the verb."""
    rng = np.random.default_rng(seed)
    records = []
    for index in range(count):
        action = index % len(ACTIONS)
        features = rng.normal(0, 0.3, (int(rng.integers(40, 60)), 263)).astype(np.float32)
        features[:, 10 * action : 10 * action + 10] += 2.0
        captions = tuple(
            Caption("", (f"{subject}/NOUN", f"{ACTIONS[action]}/VERB"), 0.0, 0.0) for subject in ("man", "person")
        )
        records.append(MotionRecord(str(index), features, captions))
    return records


TRAIN, VALIDATION, TEST = make_records(48, 0), make_records(4, 1), make_records(16, 2)
WORDS = make_word_vectors([token for r in TRAIN for c in r.captions for token in c.tokens], dim=8)


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def make_trainer(family="guo", train_words=True, similar=None):
    torch.manual_seed(0)
    kind, sizes = FAMILIES[family]
    settings = TrainerConfig(1e-2, 0.01, 0.1, train_words, 0.05, kind)
    return EvaluatorTrainer(T2M, sizes, WORDS, settings, torch.device("cpu"), similar)


def make_session(folder, epochs, trainer=None, patience=100, data="data"):
    config = SessionConfig(epochs, 12, None, patience, 2, seed=5)
    data = EvaluatorData(TextMotionPairs(TRAIN, MEAN, STD, WORDS), VALIDATION, MEAN, STD, data)
    return EvaluatorSession(trainer or make_trainer(), data, config, RunFolder(folder))


def weights(trainer):
    return {name: value.clone() for name, value in trainer.state_dict()["parts"].items()}


def test_it_learns_what_captions_mean(tmp_path, family):
    session = make_session(tmp_path, 14, make_trainer(family))
    session.train(InterruptFlag())
    rng = np.random.default_rng(0)
    found = EmbeddedRecords.of(session.best, TEST[: len(ACTIONS)]).repeats(4, rng, group=len(ACTIONS))
    assert np.mean([row["R@1"] for row in found]) > 0.9  # chance is 1 / 4
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 14
    norms = session.best.embed_features([r.features for r in TEST]).norm(dim=1)
    if family == "tmr":
        torch.testing.assert_close(norms, torch.ones(len(TEST)))
    else:
        assert 2.5 < float(norms.mean()) < 10  # drawn to one radius, so that cosine and distance agree


def test_one_epoch_moves_every_weight(family):
    trainer = make_trainer(family)
    before = weights(trainer)
    for batch in TextMotionPairs(TRAIN, MEAN, STD, WORDS).epoch(12, np.random.default_rng(0)):
        trainer.step(batch, rate=1.0)
    assert [name for name, value in weights(trainer).items() if torch.equal(value, before[name])] == []


def test_word_vectors_stay_unless_they_are_to_be_learned():
    trainer = make_trainer(train_words=False)
    for batch in TextMotionPairs(TRAIN, MEAN, STD, WORDS).epoch(12, np.random.default_rng(0)):
        trainer.step(batch, rate=1.0)
    np.testing.assert_array_equal(trainer.evaluator(MEAN, STD).words.vectors, WORDS.vectors)


def test_an_evaluator_is_a_copy(family):
    trainer = make_trainer(family)
    evaluator = trainer.evaluator(MEAN, STD)
    name = evaluator.fingerprint
    for batch in TextMotionPairs(TRAIN, MEAN, STD, WORDS).epoch(48, np.random.default_rng(0)):
        trainer.step(batch, rate=1.0)
    assert evaluator.fingerprint == name != trainer.evaluator(MEAN, STD).fingerprint


class StopAfterEpochs(InterruptFlag):
    """Raised when looked at for the n-th time after an epoch's last batch."""

    def __init__(self, session, epochs):
        self._session, self._epochs = session, epochs
        super().__init__()

    @property
    def raised(self):
        return self._session.epoch >= self._epochs

    @raised.setter
    def raised(self, value):
        pass


def test_a_continued_run_equals_one_without_a_stop(tmp_path, family):
    straight = make_session(tmp_path / "straight", 4, make_trainer(family))
    straight.train(InterruptFlag())

    stopped = make_session(tmp_path / "stopped", 4, make_trainer(family))
    stopped.train(StopAfterEpochs(stopped, 2))
    assert not stopped.finished
    torch.manual_seed(99)  # whatever happens between the runs
    resumed = make_session(tmp_path / "stopped", 4, make_trainer(family))
    assert resumed.resume()
    assert resumed.epoch == 2
    resumed.train(InterruptFlag())
    assert resumed.finished
    assert resumed.best.fingerprint == straight.best.fingerprint
    for name, value in weights(straight._trainer).items():
        assert torch.equal(value, weights(resumed._trainer)[name]), name


def test_what_a_killed_run_logged_after_its_last_state_is_logged_once(tmp_path):
    stopped = make_session(tmp_path, epochs=4)
    stopped.train(StopAfterEpochs(stopped, 2))
    rows = (tmp_path / "metrics.jsonl").read_text()
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"epoch": 3, "step": 12, "loss": 1.0}\n{"epoch": 4, "st')
    resumed = make_session(tmp_path, epochs=4)
    resumed.resume()
    assert (tmp_path / "metrics.jsonl").read_text() == rows
    resumed.train(InterruptFlag())
    assert [row["epoch"] for row in RunFolder(tmp_path).metrics.rows()] == [1, 2, 3, 4]


def test_similar_captions_are_no_negatives():
    """Where all captions are alike there is nothing to tell apart, so the loss is 0."""
    pairs = TextMotionPairs(TRAIN, MEAN, STD, WORDS)
    tokens = [caption.tokens for caption in pairs.distinct]
    batch = next(pairs.epoch(12, np.random.default_rng(0)))
    assert make_trainer("tmr", similar=SimilarCaptions(tokens, word_rows(tokens), -1.0)).step(batch, 1.0) == 0.0
    only_equal = make_trainer("tmr", similar=SimilarCaptions(tokens, word_rows(tokens), 1.0)).step(batch, 1.0)
    assert only_equal == make_trainer("tmr").step(batch, 1.0) > 1


def test_a_state_of_other_data_is_refused(tmp_path):
    make_session(tmp_path, epochs=1).train(InterruptFlag())
    with pytest.raises(InputError, match="other data"):
        make_session(tmp_path, epochs=1, data="new data").resume()


def test_it_stops_when_validation_no_longer_improves(tmp_path):
    session = make_session(tmp_path, epochs=200, patience=3)
    session.train(InterruptFlag())
    assert session.finished
    assert session.epoch == session.best_epoch + 3 < 200


def test_one_clip_is_not_a_data_set(tmp_path):
    data = EvaluatorData(TextMotionPairs(TRAIN[:1], MEAN, STD, WORDS), VALIDATION, MEAN, STD, "")
    config = SessionConfig(1, 2, None, 1, 1, 0)
    with pytest.raises(InputError, match="2 clips"):
        EvaluatorSession(make_trainer(), data, config, RunFolder(tmp_path))
