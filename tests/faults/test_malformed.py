"""A fast part of the suite of malformed files, and that the suite itself is honest: it sees what is lost."""

import itertools
import json
import logging
from dataclasses import replace

import pytest

from tests.faults.contents.forms import DAMAGES
from tests.faults.counting import Count, attempt
from tests.faults.malformed import all_readers, generated, try_reader
from tests.faults.readers.cot import COT, jsonl
from tests.faults.readers.reader import Reader, command
from utils.errors import InputError

READERS = all_readers(("text", "cot", "replies", "arrays", "models", "runs"))
COMMANDS = all_readers(("commands", "amass", "imports"))  # each of their cases is a run of a command
FEW, FEWEST, FEW_MADE = 5, 2, 3


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_damaged_file_is_read_right_or_refused_in_one_line(reader):
    count = Count("malformed")
    try_reader(reader, count, FEW, seed=0)
    assert count.tried > len(reader.made) and count.lost == 0, "\n".join(count.lines())


@pytest.mark.pipeline
@pytest.mark.parametrize("reader", COMMANDS, ids=lambda reader: reader.name)
def test_a_command_reads_a_damaged_file_right_or_refuses_it_in_one_line(reader):
    count = Count("malformed")
    made = dict(itertools.islice(reader.made.items(), FEW_MADE))
    try_reader(replace(reader, made=made, share=1.0), count, FEWEST, seed=0)
    assert count.tried > len(made) and count.lost == 0, "\n".join(count.lines())


def test_every_reader_has_a_name_of_its_own_and_a_form_that_is_known():
    readers = all_readers()
    assert len({reader.name for reader in readers}) == len(readers) == len(READERS) + len(COMMANDS) > 70
    assert {reader.form for reader in readers} <= set(DAMAGES)


@pytest.mark.parametrize("form", sorted(DAMAGES.keys() - {"torch", "npz", "npy", "pickle", "jsonl.gz"}))
def test_what_is_generated_is_damaged_in_many_ways_and_the_same_again(form):
    content = json.dumps(COT[0]).encode() if form == "json" else jsonl(COT)
    once, again = (list(generated(content, form, 40, seed=3)) for _ in range(2))
    assert once == again and len(set(once)) >= 20  # of 40; how many depends on hypothesis


def _reader(read, wrong=lambda content, value: None):
    def prepare(folder):
        (folder / "a.txt").write_text("hello\n")

    return Reader("a", "a.txt", "text", prepare, lambda folder: read((folder / "a.txt").read_bytes()), wrong)


def _refuse(content):
    raise InputError("a.txt: no hello")


def _fail(content):
    raise KeyError("hello")


def test_the_suite_counts_an_exception_that_escapes_and_says_where():
    count = Count("x")
    try_reader(_reader(lambda content: content if content == b"hello\n" else _fail(content)), count, 10, seed=0)
    assert count.lost > 5 and any("KeyError" in line for line in count.lines())
    with pytest.raises(SystemExit) as end:
        count.end()
    assert end.value.code == 1


def test_the_suite_counts_a_good_file_that_is_refused():
    count = Count("x")
    try_reader(_reader(_refuse), count, 3, seed=0)
    assert count.lost == 1 and any("a good file is refused" in line for line in count.lines())


def test_the_suite_counts_a_wrong_value_and_a_message_of_several_lines():
    lost, _ = attempt(lambda: 3, lambda value: "it is 3")
    assert lost.lost == "silently wrong: it is 3"
    lines, _ = attempt(lambda: (_ for _ in ()).throw(InputError("a\nb")), lambda value: None)
    assert lines.lost == "the message is not one line"
    line, _ = attempt(lambda: _refuse(b""), lambda value: None)
    assert line.line == "a.txt: no hello" and not line.lost


def test_a_case_that_survives_is_not_lost():
    count = Count("x")
    try_reader(_reader(lambda content: content), count, 5, seed=0)
    assert count.lost == 0 and count.tried >= 4
    with pytest.raises(SystemExit) as end:
        count.end()
    assert end.value.code == 0


def test_a_whole_command_is_a_reader_too(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        command("prepare.compute_motion_stats", "--data-root", tmp_path / "nowhere")
