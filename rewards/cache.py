"""A bounded memory of results, so that no text is sent through a model twice, with counts to log."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

DEFAULT_CAPACITY = 20_000


@dataclass(frozen=True)
class CacheStatistics:
    """How often a value was already there; `size` is the number of values held now."""

    hits: int
    misses: int
    size: int


class ResultCache(Generic[K, V]):
    """Maps keys to results of one function; the results used longest ago are dropped beyond `capacity`."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._results: OrderedDict[K, V] = OrderedDict()
        self._hits = 0
        self._misses = 0

    def get_many(self, keys: Sequence[K], compute: Callable[[list[K]], Sequence[V]]) -> list[V]:
        """Results for `keys`, in order. `compute` is called at most once, with the distinct keys not yet known."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._results]
        self._misses += len(missing)
        self._hits += len(keys) - len(missing)
        if missing:
            self._results.update(zip(missing, compute(missing), strict=True))
        found = []
        for key in keys:
            self._results.move_to_end(key)
            found.append(self._results[key])
        while len(self._results) > self._capacity:
            self._results.popitem(last=False)
        return found

    def clear(self) -> None:
        """Forget all results; the counts go on."""
        self._results.clear()

    def statistics(self) -> CacheStatistics:
        return CacheStatistics(hits=self._hits, misses=self._misses, size=len(self._results))
