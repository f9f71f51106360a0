"""An event is an action in time: what, when, with which side, which way, how often, how far, how high, how fast."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

# What `Event.kind` may be.
TRAVEL = ("walk", "run", "sidestep")
KINDS = (
    *TRAVEL, "turn", "circle", "jump", "kick", "knee", "squat", "sit", "stand", "bow", "lean", "raise", "wave", "clap",
    "punch",
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One action, or one repeated without a long pause.

    Attributes:
        kind: one of `KINDS`. A jump is one on both feet, a knee one that is lifted.
        start_s, end_s: seconds from the first frame.
        side: the limb that does it: left, right, both; for `TRAVEL` the foot that steps first. Empty where none is
            told.
        way: of travel and of a jump forward, backward, left or right (a jump on the spot: up); of a turn, a circle
            and a lean left or right (a circle to the left is counterclockwise from above); of a kick front or side; of
            a raised hand front, side or overhead; of a clap front or overhead; of a bow slight or deep.
        count: repetitions; of `TRAVEL` steps; of a wave swings of 0.06 m and more, 0 where all are smaller.
        degrees: of a turn, or by how much the trunk bends.
        metres: of a way (also the one gone while turning), of the height of a jump, of the depth of a squat, or of a
            raised wrist above the head joint.
        pace_m_s: of `TRAVEL`.
    """

    kind: str
    start_s: float
    end_s: float
    side: str = ""
    way: str = ""
    count: int = 1
    degrees: float = 0.0
    metres: float = 0.0
    pace_m_s: float = 0.0

    def overlap_s(self, other: "Event") -> float:
        """For how long both happen."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


def repeated(events: Iterable[Event], pause_s: float) -> list[Event]:
    """Events of one kind, side and way with at most `pause_s` between them become one with their number."""
    joined: list[Event] = []
    for event in sorted(events, key=lambda item: (item.kind, item.side, item.way, item.start_s)):
        last = joined[-1] if joined else None
        same = last and (last.kind, last.side, last.way) == (event.kind, event.side, event.way)
        if same and event.start_s - last.end_s <= pause_s and event.kind not in (*TRAVEL, "turn", "circle"):
            joined[-1] = replace(
                last,
                end_s=event.end_s,
                count=last.count + event.count,
                degrees=max(last.degrees, event.degrees),
                metres=max(last.metres, event.metres),
            )
        else:
            joined.append(event)
    return in_order(joined)


def with_both(left: Sequence[Event], right: Sequence[Event], together: Callable[[Event, Event], bool]) -> list[Event]:
    """Events of the left and of the right limb; a pair that happens together becomes one of both."""
    rest, found = list(right), []
    for event in left:
        partner = next((other for other in rest if together(event, other)), None)
        if partner is None:
            found.append(event)
            continue
        rest.remove(partner)
        found.append(
            replace(
                event,
                side="both",
                start_s=min(event.start_s, partner.start_s),
                end_s=max(event.end_s, partner.end_s),
                count=max(event.count, partner.count),
                metres=max(event.metres, partner.metres),
            )
        )
    return in_order([*found, *rest])


def in_order(events: Iterable[Event]) -> list[Event]:
    """By their start, then by their end."""
    return sorted(events, key=lambda event: (event.start_s, event.end_s, event.kind))
