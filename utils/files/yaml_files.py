"""YAML files of people are read here: plain values only, each name once, and numbers as they are meant.

YAML 1.1 takes ``1e-5`` for a text, and of a name that is there twice the last without a word.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from utils.errors import InputError
from utils.files.text_files import read_text

_EXPONENT = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$")
_LONGEST = 200  # characters of a problem that a message shows


def read_yaml(path: str | Path) -> Any:
    """The one value in a YAML file, None where it is empty.

    Raises:
        InputError: no such file, no text, no YAML, Python objects, a name that is listed twice.
    """
    text = read_text(path)
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # 5,000 digits, 1,000 brackets
        problem = " ".join(str(error).split())[:_LONGEST] or "brackets in brackets"
        raise InputError(f"{path}: not a YAML file ({problem})") from None


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: ClassVar = {
        first: [("tag:yaml.org,2002:float", _EXPONENT), *known]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            mark = next(key.start_mark for key, _ in reversed(node.value) if key.value == twice[0])
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} is listed twice", mark)
        return super().construct_mapping(node, deep)
