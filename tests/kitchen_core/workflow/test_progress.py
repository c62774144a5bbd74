from kitchen_core.workflow.progress import Progress


def begun(step=0):
    progress = Progress()
    progress.begin(step)
    return progress


def test_the_time_left_is_the_mean_step_times_the_steps_left():
    progress = begun()
    assert progress.seconds_left(1, 11, now=100.0) is None
    assert progress.seconds_left(3, 11, now=104.0) == 2.0 * 8
    assert progress.seconds_left(11, 11, now=120.0) == 0.0


def test_what_came_before_the_first_step_was_done_does_not_count():
    progress = begun(step=50)
    assert progress.seconds_left(50, 100, now=0.0) is None
    assert progress.seconds_left(51, 100, now=60.0) is None
    assert progress.seconds_left(52, 100, now=61.0) == 1.0 * 48


def test_reports_keep_a_quarter_of_a_second_apart():
    progress = begun()
    assert [progress.due(now) for now in (5.0, 5.1, 5.25, 5.3)] == [True, False, True, False]
