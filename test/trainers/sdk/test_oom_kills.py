"""Kills for want of memory, as the supervisor of a trainer counts them."""

from __future__ import annotations

import sys

from trainer_process import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "worker" / "supervisor"))

from oom_kills import RecentOomKills, counters


def test_what_happened_lately_counts_and_what_was_long_ago_does_not() -> None:
    now, kills = 0.0, 7
    recent = RecentOomKills(lambda: kills, lambda: now)

    def at(seconds: float, count: int) -> int | None:
        nonlocal now, kills
        now, kills = seconds, count
        return recent.count()

    assert at(0, 7) == 0
    assert at(2, 8) == 1
    assert at(28, 8) == 1
    assert at(40, 8) == 0
    assert at(41, 9) == 1


def test_where_nobody_counts_that_is_said() -> None:
    assert RecentOomKills(lambda: None).count() is None


def test_the_counter_is_that_of_its_own_cgroup_of_version_2_and_of_version_1() -> None:
    assert counters("0::/user.slice/worker\n") == ["/sys/fs/cgroup/user.slice/worker/memory.events"]
    assert counters("12:cpu,cpuacct:/a\n4:memory:/docker/b\n0::/\n") == [
        "/sys/fs/cgroup/memory.events",
        "/sys/fs/cgroup/memory/docker/b/memory.oom_control",
    ]
