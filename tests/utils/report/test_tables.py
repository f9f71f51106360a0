"""Tables of results: intervals, n, arrows, the best in bold, and the same for spreadsheets and papers."""

import csv
import io

from utils.metrics.report import MetricValue
from utils.report.tables import csv_table, html_table, latex_table, merged

COLUMNS = ("R@1", "FID", "Diversity")


def value(mean, interval=0.01, n=64, repeats=20):
    return MetricValue(mean, interval, n, repeats)


ROWS = {
    "real": {"R@1": value(0.9), "Diversity": value(9.0)},
    "SFT": {"R@1": value(0.5), "FID": value(0.4), "Diversity": value(9.4)},
    "RLVR & <CoM>": {"R@1": value(0.6), "FID": value(0.5, None), "Diversity": value(8.7)},
    "broken": {"R@1": value(None, None), "FID": value(None, None)},
}


def test_a_row_has_its_n_its_intervals_and_the_best_in_bold():
    html = html_table(ROWS)
    head, real, sft, rlvr, broken = html.split("<tr>")[1:]
    assert "<th>n</th><th>R@1 ↑</th><th>FID ↓</th><th>Diversity →</th>" in head
    assert "<td>real</td><td>64</td><td>0.900 ± 0.010</td><td>-</td><td>9.000 ± 0.010</td>" in real
    assert "<td>0.500 ± 0.010</td><td><b>0.400 ± 0.010</b></td><td>9.400 ± 0.010</td>" in sft
    # 8.7 is nearer to 9.0 than 9.4 is.
    assert "<td><b>0.600 ± 0.010</b></td><td>0.500</td><td><b>8.700 ± 0.010</b></td>" in rlvr
    assert "RLVR &amp; &lt;CoM&gt;" in rlvr and "<b>" not in real + broken and "<td>-</td>" in broken


def test_one_system_alone_is_not_the_best_of_anything():
    assert "<b>" not in html_table({"real": ROWS["real"], "SFT": ROWS["SFT"]})


def test_a_spreadsheet_gets_every_digit():
    rows = list(csv.DictReader(io.StringIO(csv_table({"t2m": {"a, b": {"FID": value(1 / 3, None, 5, 1)}}, "m2t": {}}))))
    assert rows == [
        {
            "task": "t2m",
            "system": "a, b",
            "metric": "FID",
            "mean": repr(1 / 3),
            "interval_95": "",
            "n": "5",
            "repeats": "1",
        }
    ]


def test_a_paper_gets_a_booktabs_table():
    text = latex_table(ROWS, "50% of R_1")
    assert r"\caption{50\% of R\_1}" in text and r"FID $\downarrow$" in text and r"Diversity $\rightarrow$" in text
    assert r"RLVR \& $<$CoM$>$ & \textbf{0.600 $\pm$ 0.010} & 0.500 & \textbf{8.700 $\pm$ 0.010} \\" in text
    assert [text.count(word) for word in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert all(line.count(" & ") == len(COLUMNS) for line in text.splitlines() if line.endswith(r"\\"))


def test_real_motion_stands_on_top_once_and_only_named_columns_are_kept():
    one = {"real": {"R@1": value(0.9)}, "generated": {"R@1": value(0.5), "Jerk": value(3.0)}}
    two = {"generated": {"R@1": value(0.6)}}
    table = merged([("two", two), ("one", one)], "generated", ["R@1", "FID"])
    assert list(table) == ["real", "two", "one"]
    assert [{name: found.mean for name, found in row.items()} for row in table.values()] == [
        {"R@1": 0.9}, {"R@1": 0.6}, {"R@1": 0.5},
    ]  # fmt: skip
