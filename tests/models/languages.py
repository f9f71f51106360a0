"""Motion languages of tests: base-model prompts around a vocabulary."""

from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN


def plain(vocabulary, motion_tokenizer=None):
    """Asked without a chat template; without a tokenizer replies have no motion."""
    return MotionLanguage(vocabulary, motion_tokenizer, PLAIN)
