"""The gate as its rule says it, from all labels anew at each one; slow."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class GateTwin:
    """Labels are (day, left, champion, closed_form, idle), losses in 1e-9 nats."""

    window_days: int
    min_each: int
    settle_labels: int
    demotion_nano: int
    recovery_nano: int
    standing: str = "waiting"
    labels: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    restarted_at: int = 0
    changed_at: int = 0
    changes: list[tuple[int, str]] = field(default_factory=list)

    def label(self, *label: int) -> None:
        self.labels.append(label)
        self.look(label[0])

    def restart(self) -> None:
        self.restarted_at = len(self.labels)

    def look(self, day: int) -> None:
        since = self.labels[self.restarted_at :]
        seen = [label for label in since if label[0] > day - self.window_days]
        left = sum(label[1] for label in seen)
        champion, closed_form, idle = (sum(label[k] for label in seen) for k in (2, 3, 4))
        lead = {"demoted": self.recovery_nano, "serving": -self.demotion_nano}.get(self.standing, 0) * len(seen)
        enough = left >= self.min_each and len(seen) - left >= self.min_each
        good = champion + lead <= closed_form and champion <= idle
        settled = len(self.labels) - self.changed_at >= self.settle_labels
        standing = self.standing
        if not enough:
            if standing == "serving" and since and day - since[0][0] >= self.window_days:
                standing = "demoted"
        elif standing == "waiting":
            standing = "serving" if good else "waiting"
        elif settled:
            standing = "serving" if good else "demoted"
        if standing != self.standing:
            self.standing, self.changed_at = standing, len(self.labels)
            self.changes.append((len(self.labels), standing))
