"""The questions of an evaluation are shared out: over the processes of a launcher, over commands, over both."""

from dataclasses import dataclass
from pathlib import Path

from com.reply_file import ReplyFile
from com.reply_search import QueryBatch
from utils.run.processes import ALONE, Processes


@dataclass(frozen=True)
class Share:
    """What this process answers: every `count`-th query, from that of number `index` on.

    The draws of a query stay together, because a greedy reply to the same question is copied from draw to draw.

    Attributes:
        processes: those that a launcher started together; the first of them judges.
        shard, shards: number of this command, from 0, among those that answer beside one another; where there are
            several, none of them judges.
    """

    processes: Processes = ALONE
    shard: int = 0
    shards: int = 1

    @property
    def index(self) -> int:
        return self.shard * self.processes.count + self.processes.index

    @property
    def count(self) -> int:
        return self.shards * self.processes.count

    @property
    def judges(self) -> bool:
        """Whether this process judges the replies of all."""
        return self.shards == 1 and self.processes.is_main

    def of(self, asked: QueryBatch) -> QueryBatch:
        """Those of the queries that this process answers."""
        own = [place for place, number in enumerate(asked.query_numbers) if number % self.count == self.index]
        return asked.take(own)

    def file(self, path: Path, decoding: str | None = None) -> ReplyFile:
        """The replies at `path`: a file that is this process's alone, beside those of the others."""
        return ReplyFile(path, "" if self.count == 1 else f"{self.index + 1}-of-{self.count}", decoding)


WHOLE = Share()
