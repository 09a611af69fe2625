"""Whatever is done to a host's wall clock, the time that a worker goes by is never beyond the broker's, nor far behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.reference_clock import ReferenceClock, Stamp
from tests.support.examples import examples

TRUTH = 1_700_000_000_000
APART_MS = 600_000
DAY_MS = 86_400_000

# what happens next: (what, how long it takes or by how much, ms; how long the answer takes, ms)
_DELAYS = st.floats(0, 5_000)
_SETS = st.one_of(st.sampled_from([0, 30 * DAY_MS, -30 * DAY_MS, 7_200_000, 599_000, -599_000]), st.integers(-(10**10), 10**10))
_HAPPENS = st.one_of(
    st.tuples(st.just("message"), _DELAYS, _DELAYS),
    st.tuples(st.just("wait"), st.floats(0, 1e8), _DELAYS),
    st.tuples(st.just("set host"), _SETS, _DELAYS),
    st.tuples(st.just("message while set"), _SETS, _DELAYS),
)


@given(st.lists(_HAPPENS, max_size=40), _SETS, st.floats(0, 1e9))
@examples(300)
def test_no_set_of_the_hosts_clock_moves_time(happens: list[tuple[str, float, float]], host_error: int, began: float) -> None:
    clock, passed, slowest = ReferenceClock(), 0.0, 0.0
    for what, by, back in happens:
        if what == "wait":
            passed += by
        elif what == "set host":
            host_error = int(by)
        else:
            sent = (began + passed, int(TRUTH + passed) + host_error)
            there = by if what == "message" else 1.0
            stamp_ms = int(TRUTH + passed + there)
            passed += there + back
            host_error = int(by) if what == "message while set" else host_error
            host_acked = int(TRUTH + passed) + host_error
            clock = clock.told(Stamp(stamp_ms, sent[0], began + passed, sent[1], host_acked), APART_MS)
            far = min(abs(error) for error in (sent[1] - stamp_ms, host_acked - stamp_ms)) > APART_MS + there + back + 1
            same_side = (sent[1] < stamp_ms) == (host_acked < stamp_ms)
            assert not (far and same_side and clock.trusted), "a host that is far off is found"
            slowest = max(slowest, back)
        if clock.offset_ms is not None:
            now_ms = clock.now_ms(began + passed)
            assert now_ms <= TRUTH + passed, "never beyond the broker's time"
            assert now_ms >= TRUTH + passed - slowest - 2, "nor further behind than the slowest answer took"
