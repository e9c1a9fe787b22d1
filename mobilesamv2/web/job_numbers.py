"""Numbers of the jobs that a visitor asked for: which is the latest, and which are not wanted any more.

The browser numbers the jobs of a page, rising (`scripts/jobs.js`). So a stop names what it stops: it counts also
where it arrives before the job that it is about, and it never stops a later one.
"""

from __future__ import annotations

import threading

_LARGEST = 2**53
"""Of the whole numbers that browsers tell apart."""


class JobNumbers:
    """The jobs of one kind in a session; at most the latest of them is wanted.

    Attributes:
        latest: number of the latest job.
        latest_of: the same of each tab of the page, by its name.
        cancelled: number of the latest cancelled job.
        dropped: all jobs before this number were about another photo.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.latest = self.cancelled = self.dropped = 0
        self.latest_of: dict[str, int] = {}
        self._taken = 0

    def begin(self, number: object, tab: str) -> None:
        """Note a new job of a tab. All before it are stale; of those of the same tab the answers are dropped."""
        with self._lock:
            self.latest = max(self.latest, whole(number))
            self.latest_of[tab] = max(self.latest_of.get(tab, 0), whole(number))

    def take(self, number: object, tab: str) -> bool:
        """Whether the job of that number is still to be done; it is begun, and the next who asks is told no."""
        self.begin(number, tab)
        with self._lock:
            if whole(number) <= self._taken:
                return False
            self._taken = whole(number)
            return True

    def cancel(self, number: object) -> None:
        """Stop the jobs up to that one: each ends with what it has."""
        with self._lock:
            self.cancelled = max(self.cancelled, whole(number))

    def drop(self, number: object) -> None:
        """Stop the jobs before that number and drop their answers: another photo is at hand."""
        with self._lock:
            self.dropped = max(self.dropped, whole(number))


def whole(number: object) -> int:
    """A number that came from a browser; 0 for anything else."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= _LARGEST:
        return 0
    return int(number)
