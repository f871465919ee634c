"""The chart engine: axes by arithmetic, and what a picture holds."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest

from marquee.core.svg_charts import (
    Series,
    axis_from_zero,
    document,
    draw_lines,
    linear_axis,
    round_step,
    text,
)


@pytest.mark.parametrize(("rough", "step"), [(0.6, 1), (1.1, 2), (3, 5), (7, 10), (0.013, 0.02)])
def test_round_step_is_one_two_or_five_times_a_power_of_ten(rough: float, step: float) -> None:
    assert round_step(rough) == pytest.approx(step)


def test_axis_from_zero_ends_at_a_tick_above_all_values() -> None:
    axis = axis_from_zero(13, 200, 100)
    assert [axis.label(tick) for tick in axis.ticks] == ["0", "5", "10", "15"]
    assert (axis.at(0), axis.at(15), axis.at(7.5)) == (200, 100, 150)


def test_reversed_axis_has_larger_values_on_the_left() -> None:
    axis = linear_axis([0.2, 1.0], 100, 0, padding=0)
    assert (axis.at(1.0), axis.at(0.2)) == (0, 100)


def test_years_have_no_comma() -> None:
    axis = linear_axis([1995, 2005], 0, 100, integers=True, padding=0, separator="")
    assert [axis.label(tick) for tick in axis.ticks] == ["1996", "1998", "2000", "2002", "2004"]


def test_text_is_escaped() -> None:
    assert "A &lt;b&gt; &amp; C" in text(0, 0, "A <b> & C")


def picture(*series: Series) -> ElementTree.Element:
    points = [point for line in series for point in line.points]
    x, y = (
        linear_axis([point[0] for point in points], 50, 400),
        linear_axis([point[1] for point in points], 250, 30),
    )
    parts = draw_lines(series, x=x, y=y, x_label="epoch", y_label="loss")
    return ElementTree.fromstring(document(440, 300, parts, title="T"))


def test_lines_have_points_intervals_and_labels() -> None:
    line = Series(
        points=[(1, 3.0), (2, 2.0)],
        color="#123456",
        name="run 1",
        selected=(2, 2.0),
        bounds=[(2.5, 3.5), (1.5, 2.5)],
        labels=["start", ""],
    )
    root = picture(line)
    circles = [circle.attrib["class"] for circle in root.iter("circle")]
    assert circles == ["point", "chosen"]
    assert [title.text for title in root.iter("title")][1:] == [
        "run 1, epoch 1: loss 3",
        "run 1, epoch 2: loss 2",
    ]
    assert len([path for path in root.iter("path") if path.attrib["class"] == "bound"]) == 2
    texts = [element.text for element in root.iter("text")]
    assert "start" in texts and "" not in texts


def test_end_labels_of_close_lines_do_not_overlap() -> None:
    lines = [
        Series(points=[(0, 0.0), (1, end)], color="#000", end_label=name)
        for name, end in (("a", 1.0), ("b", 1.0), ("c", 0.99))
    ]
    labels = [e for e in picture(*lines).iter("text") if e.attrib.get("class") == "end"]
    heights = sorted(float(label.attrib["y"]) for label in labels)
    assert len(heights) == 3
    assert all(low + 13 <= high for low, high in itertools.pairwise(heights))


def test_standalone_document_carries_namespace_and_style() -> None:
    inline, alone = (
        document(10, 10, [], title="T", standalone=standalone) for standalone in (False, True)
    )
    assert "xmlns" not in inline and "<style>" not in inline
    assert 'xmlns="http://www.w3.org/2000/svg"' in alone and "--ink" in alone
    assert not re.search(r"url\(|@import|<script", alone)
