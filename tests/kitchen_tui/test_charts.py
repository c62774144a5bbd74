from kitchen_tui.charts import buckets, line_chart, sparkline


def test_a_rising_line_is_a_diagonal_of_dots():
    # Two cells are 4 by 4 dots: the four points lie on the diagonal from the bottom left.
    chart = line_chart([(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)], width=2, height=1)
    assert chart == ["⡠⠊"]


def test_the_axes_name_lowest_highest_first_and_last():
    # Three columns go to the labels, two lines to the axis; 4 by 2 cells are 8 by 8 dots.
    points = [(step, float(step)) for step in range(8)]
    assert line_chart(points, width=7, height=4) == [
        "7 ┤⠀⠀⡠⠊",
        "0 ┤⡠⠊⠀⠀",
        "  └────",
        "   0  7",
    ]


def test_every_line_keeps_to_the_width():
    points = [(step, 1000.0 / (step + 1)) for step in range(300)]
    for width in (1, 5, 8, 10, 20, 40, 80):
        lines = line_chart(points, width, 8)
        assert len(lines) == 8
        assert max(map(len, lines)) <= width


def test_a_spike_among_many_points_stays_seen():
    points = [(step, 100.0 if step == 5000 else 0.0) for step in range(10_000)]
    chart = line_chart(points, width=42, height=6)
    assert chart[0].startswith("100 ┤")
    assert "⡇" in chart[1] or "⢸" in chart[1]


def test_a_bucket_keeps_low_high_first_and_last():
    [[first, second]] = buckets([(0, 3.0), (1, 9.0), (2, 1.0), (3, 4.0), (9, 5.0)], columns=2)
    assert (first.low, first.high, first.first, first.last) == (1.0, 9.0, 3.0, 4.0)
    assert (second.column, second.first) == (1, 5.0)


def test_a_null_parts_the_line():
    with_gap = [(0, 0.0), (1, None), (2, 0.0), (3, 4.0)]
    strokes = buckets(with_gap, columns=4)
    assert [[bucket.column for bucket in stroke] for stroke in strokes] == [[0], [2, 3]]


def test_a_constant_series_is_a_level_line_in_the_middle():
    chart = line_chart([(0, 2.0), (3, 2.0)], width=2, height=1)
    assert chart == ["⠒⠒"]


def test_one_point_is_told_and_not_drawn():
    assert line_chart([(3, 0.5)], width=20, height=3) == ["", "   0.5 at step 3", ""]


def test_nothing_to_draw_is_said():
    assert line_chart([], width=20, height=3) == ["", "   no values yet", ""]
    assert "no finite values" in line_chart([(0, None)], width=20, height=3)[1]


def test_a_sparkline_goes_from_lowest_to_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], width=8) == "▁▂▃▄▅▆▇█"
    assert sparkline([7, None, 0], width=8) == "█ ▁"


def test_a_sparkline_takes_the_mean_of_each_share():
    assert sparkline([0, 2, 6, 8], width=2) == "▁█"
    assert len(sparkline(list(range(100)), width=24)) == 24


def test_a_constant_sparkline_is_level_and_an_empty_one_empty():
    assert sparkline([5, 5, 5], width=8) == "▄▄▄"
    assert sparkline([None], width=8) == ""


def test_values_far_apart_get_a_logarithmic_scale_and_the_axis_says_so():
    # 1 to 10,000,000 in equal steps of a decade: on a logarithmic scale a straight line.
    decades = line_chart([(step, 10.0**step) for step in range(8)], width=12, height=4)
    straight = line_chart([(step, float(step)) for step in range(8)], width=10, height=4)
    assert [line[5:] for line in decades[:2]] == [line[3:] for line in straight[:2]]
    assert decades[0].startswith("1e7 ┤")
    assert decades[2].startswith(" log└")


def test_values_that_reach_zero_keep_a_linear_scale():
    assert "log" not in "".join(line_chart([(0, 0.0), (1, 1000.0)], width=20, height=5))


def test_a_sparkline_on_a_scale_of_its_own_keeps_to_it():
    assert sparkline([0.0, 0.5, 1.0], width=8, low=0.0, high=1.0) == "▁▅█"
    assert sparkline([0.5, 0.5], width=8, low=0.0, high=1.0) == "▅▅"
    assert sparkline([-1.0, 2.0], width=8, low=0.0, high=1.0) == "▁█"  # never beyond its ends
