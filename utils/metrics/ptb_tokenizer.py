"""English captions are split into Penn-Treebank-like tokens: lower case, contractions split, no punctuation.

Caption scores are only comparable after one tokenisation; the field's is Stanford's PTBTokenizer (Java). This one
was written against its output: of 11,239 distinct human and template captions it differs in two (a web address, and a
case that depends on the next caption in the file); of 828 strings made to trip it in 22 (smileys, HTML entities,
`½`, `y'all` and the like).
"""

import re

# Stanford's tokenizer ends these in a period; elsewhere a period after a word is punctuation.
_ABBREVIATIONS = (
    "mr mrs ms dr prof gen st sr jr etc vs inc co ltd corp jan feb mar apr jun jul aug sep sept oct nov dec mon tue "
    "wed thu fri ave blvd rd ft rev hon rep sen gov capt col lt sgt maj cmdr messrs mt est al cf dept univ tel ext "
    "bros assn ariz calif md adj"
)
_BEFORE_NUMBER = "no nos fig p pp ca art"  # abbreviations only before a number
_REMOVED = frozenset(("", "'", "''", "`", "``", '"', ".", "..", "...", "?", "!", ",", ":", ";", "-"))
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
# Typographic characters and the plain ones that the tokenizer reads.
_UNIFY = str.maketrans(
    {"\u2018": "`", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": " ... ", "\u2013": " - ", "\u2014": " - "}
    | {"\u00a0": " ", "\u200b": " ", "\u00ad": None}
)
_ONE_WORD_PAIRS = {
    "cannot": "can not",
    "gonna": "gon na",
    "wanna": "wan na",
    "gotta": "got ta",
    "gimme": "gim me",
    "lemme": "lem me",
    "'tis": "'t is",
    "'twas": "'t was",
}

_PIECE = re.compile(
    rf"""
    (?: https?:// | www\. ) \S+ | [\w.+-]+ @ [\w.-]*\w                     # addresses
  | (?: [a-z]\. )+ [a-z]?\.? (?! \w ) (?<= \. )                            # u.s.  a.m.  a.
  | \b (?: ph\.d | {"|".join(_ABBREVIATIONS.split())} ) \. (?! \w )
  | \b (?: {"|".join(_BEFORE_NUMBER.split())} ) \. (?= \s* \d )
  | ' (?: em | cause | til | n | \d\ds ) (?! \w ) '? | '(?:tis|twas)\b     # words that begin with an apostrophe
  | (?: o'clock | ma'am | c'mon | d'you | d'ye ) (?! \w )
  | ' (?: s | m | d | re | ve | ll ) (?! \w ) | n't (?! \w )               # contractions standing alone
  | (?: (?<= \s ) | ^ ) [+-] \d+ (?: [.,:/] \d+ )* (?! \w )                # -5
  | \d+ (?: [.,:] \d+ )+                                                   # 1.5  2,000  10:30
  | \w+ (?: (?: - | [.!?] (?= [^\W\d] ) (?<= [^\W\d] . ) ) \w+ )*          # words, also with - or . inside
    (?: / \w+ (?: - \w+ )* ){{0,2}}                                        # up to two slashes inside
  | [()\[\]{{}}] | [?!]+ | \.+ | -+ | </?\w+> | [^\w\s]
    """,
    re.VERBOSE,
)
_SUFFIX = re.compile(r"(?<=\w)(?:(?=n't\b)|(?='(?:s|m|d|re|ve|ll|n)\b))")


def ptb_tokens(text: str) -> list[str]:
    """Tokens of one caption, without punctuation: `A person's arm!` -> `["a", "person", "'s", "arm"]`."""
    text = _SUFFIX.sub(" ", text.translate(_UNIFY).lower())
    tokens: list[str] = []
    for piece in _PIECE.findall(text):
        piece = _BRACKETS.get(piece, piece)
        if piece not in _REMOVED and not (set(piece) <= {"."} or set(piece) <= {"-"}):
            tokens += _ONE_WORD_PAIRS.get(piece, piece).split()
    return tokens
