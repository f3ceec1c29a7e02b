"""Where trainings on other machines leave what they tell, until it is fetched: an actor of Ray's."""

import asyncio
from typing import Any


class Post:
    """What was told by the number of each training, and which of them are to end."""

    def __init__(self) -> None:
        self._news: list[tuple[int, Any]] = []
        self._arrived = asyncio.Event()
        self._unwanted: set[int] = set()

    async def tell(self, number: int, message: Any) -> bool:
        """Leaves a message; says whether the training goes on."""
        self._news.append((number, message))
        self._arrived.set()
        return number not in self._unwanted

    async def give_up(self, number: int) -> None:
        """Has a training end."""
        self._unwanted.add(number)

    async def arrived(self) -> None:
        """Waits until there is something."""
        await self._arrived.wait()

    async def fetched(self) -> list[tuple[int, Any]]:
        """All that was left so far."""
        news, self._news = self._news, []
        self._arrived.clear()
        return news
