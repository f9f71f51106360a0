"""The one exception that means "what you gave cannot be used".

Entry points turn it into a single line on stderr and exit status 2 (see `utils.run.command`); everything else
that escapes is a bug of ours and keeps its traceback.
"""


class InputError(Exception):
    """Bad input from the user: says what was given, what was expected and where (``file.jsonl:12``)."""


def first_line(error: BaseException) -> str:
    """What an exception of a library says, without its further lines."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
