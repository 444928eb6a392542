"""Many watchers of one run are told less often, and as usual again when they have left."""

from ui.train.audience import FEW, SLOWEST, Audience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def everyone(audience: Audience, count: int) -> int:
    return [audience.arrive(f"visitor {number}") for number in range(count)][-1]


def test_a_few_are_told_as_often_as_one_alone():
    audience = Audience(Clock())
    assert everyone(audience, 1) == everyone(audience, FEW) == 1


def test_the_more_watch_the_less_often_each_is_told():
    for times in (2, 4, 8):
        assert everyone(Audience(Clock()), times * FEW) == times
    assert everyone(Audience(Clock()), 100 * FEW) == SLOWEST


def test_the_pace_comes_back_when_they_have_left():
    clock = Clock()
    audience = Audience(clock)
    everyone(audience, 50)
    for clock.now in range(0, 600, 5):
        slowness = audience.arrive("the last")
    assert slowness == 1


def test_one_who_comes_and_goes_does_not_change_the_pace_of_all():
    clock = Clock()
    audience = Audience(clock)
    assert everyone(audience, FEW + 1) == 2
    paces = set()
    for clock.now in range(1, 60):
        paces.add(everyone(audience, FEW + clock.now % 2))
    assert paces == {2}
