"""What is long is shown short."""

from utils.wording import listed, shortened


def test_a_value_is_one_line_of_so_many_characters():
    assert shortened("a\n  b\tc") == "a b c"
    assert shortened([1, 2]) == "[1, 2]"
    assert shortened("x" * 80) == "x" * 80
    assert shortened("x" * 81) == "x" * 77 + "..."


def test_the_first_names_and_how_many_more():
    assert listed([]) == ""
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2, "; ") == "a; b and 2 more"
