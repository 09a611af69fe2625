"""The gate as its rule says it, from all labels anew at each one; slow."""

from __future__ import annotations

from dataclasses import dataclass, field

Label = tuple[int, int, int, int, int]
"""day, left, champion, closed form, idle; losses in 1e-9 nats."""


@dataclass
class GateTwin:
    window_days: int
    min_each: int
    min_days: int
    settle_labels: int
    tolerance_nano: int
    standing: str = "waiting"
    fresh: list[Label] = field(default_factory=list)
    record: list[Label] = field(default_factory=list)
    labels: int = 0
    changed_at: int = 0
    changes: int = 0

    def label(self, fresh: Label, record: Label | None) -> None:
        self.fresh.append(fresh)
        self.record += [record] if record else []
        self.labels += 1

    def restart(self) -> None:
        self.fresh, self.record = [], []

    def look(self, day: int) -> None:
        standing = self._next(day)
        if standing != self.standing:
            self.standing, self.changed_at, self.changes = standing, self.labels, self.changes + 1

    def _next(self, day: int) -> str:
        if not self._says_enough(self.fresh, day):
            over = self.fresh and day - self.fresh[0][0] >= self.window_days
            return "demoted" if self.standing == "serving" and over else self.standing
        good = self._good(self.fresh, day) and (not self._says_enough(self.record, day) or self._good(self.record, day))
        if self.standing == "waiting":
            return "serving" if good else "waiting"
        settled = self.labels - self.changed_at >= self.settle_labels
        return ("serving" if good else "demoted") if settled else self.standing

    def _seen(self, account: list[Label], day: int) -> list[Label]:
        return [label for label in account if label[0] > day - self.window_days]

    def _says_enough(self, account: list[Label], day: int) -> bool:
        seen = self._seen(account, day)
        left = sum(label[1] for label in seen)
        spanned = day - account[0][0] if account else 0
        return left >= self.min_each and len(seen) - left >= self.min_each and spanned >= self.min_days

    def _good(self, account: list[Label], day: int) -> bool:
        seen = self._seen(account, day)
        champion, closed_form, idle = (sum(label[k] for label in seen) for k in (2, 3, 4))
        if self.standing == "serving":
            champion -= self.tolerance_nano * len(seen)
        return champion <= closed_form and champion <= idle
