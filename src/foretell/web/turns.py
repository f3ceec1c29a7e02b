"""Turns of work that takes memory: a few at once, and together no more than so many bytes; first come, first served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets in what there is room for; the next waits, and those behind it.

    Args:
        count: How many at once.
        most: Bytes together; what is larger has its turn alone.

    Attributes:
        sizes: Of those that are at work.
    """

    def __init__(self, count: int, most: int) -> None:
        self.count, self.most = count, most
        self.sizes: list[int] = []
        self._order, self._freed = asyncio.Lock(), asyncio.Event()

    @asynccontextmanager
    async def of_one(self, size: int) -> AsyncIterator[None]:
        """Inside a block it is one's turn.

        Args:
            size: Bytes.
        """
        async with self._order:
            while not self._is_room(size):
                self._freed.clear()
                await self._freed.wait()
            self.sizes.append(size)
        try:
            yield
        finally:
            self.sizes.remove(size)
            self._freed.set()

    def _is_room(self, size: int) -> bool:
        return not self.sizes or (len(self.sizes) < self.count and sum(self.sizes) + size <= self.most)
