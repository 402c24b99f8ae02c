"""How long nothing has come, for a node that may itself have stood still."""

from __future__ import annotations


class Silence:
    """Counts looks at which nothing had come since the one before.

    By the clock, a process that got no processor time would take the messages that wait in its queues for silence.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s, self._looks = period_s, 0

    def end(self) -> None:
        """Something has come."""
        self._looks = 0

    def look(self) -> float:
        """For how many seconds nothing has come, at least; to be called once in every period."""
        self._looks += 1
        return (self._looks - 1) * self._period_s
