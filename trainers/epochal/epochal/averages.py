"""Running averages of an epoch that survive an interruption within it."""


class Average:
    """A weighted mean, kept in checkpoints, so that an epoch continued in its middle reports the same metrics."""

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def add(self, value: float, count: float = 1) -> None:
        """Count `value` as the mean of `count` samples."""
        self.total += float(value) * count
        self.count += count

    @property
    def value(self) -> float:
        """The mean so far; 0 before anything was added."""
        return self.total / self.count if self.count else 0.0


class Averages:
    """All averages of a training, by name. Each epoch begins with empty ones."""

    def __init__(self) -> None:
        self._by_name: dict[str, Average] = {}

    def get(self, name: str) -> Average:
        """The average called `name`; the same object for as long as the training continues."""
        return self._by_name.setdefault(name, Average())

    def snapshot(self) -> dict[str, list[float]]:
        """What `restore` takes; JSON keeps it exactly."""
        return {name: [one.total, one.count] for name, one in self._by_name.items()}

    def restore(self, snapshot: dict[str, list[float]]) -> None:
        """Set every average to what it was, and those that were not there to nothing."""
        for name in {*self._by_name, *snapshot}:
            one = self.get(name)
            one.total, one.count = snapshot.get(name, (0.0, 0.0))
