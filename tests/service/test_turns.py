"""Turns: never more at once, nor more bytes, than there is room for; first come, first served, and everybody comes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.web.turns import Turns


@given(sizes=st.lists(st.integers(0, 300), max_size=20), count=st.integers(1, 4))
def test_there_is_room_for_all_who_are_in(sizes: list[int], count: int) -> None:
    begun: list[int] = []

    async def work(turns: Turns, number: int) -> None:
        async with turns.of_one(sizes[number]):
            begun.append(number)
            assert len(turns.sizes) == 1 or (len(turns.sizes) <= count and sum(turns.sizes) <= 100)
            for _ in range(number % 3):
                await asyncio.sleep(0)

    async def everybody() -> None:
        turns = Turns(count, 100)
        await asyncio.gather(*(work(turns, number) for number in range(len(sizes))))
        assert not turns.sizes

    asyncio.run(everybody())
    assert begun == list(range(len(sizes)))


def test_small_ones_are_in_together_and_who_gives_up_is_waited_for_no_longer() -> None:
    async def tried() -> None:
        turns = Turns(4, 100)
        async with turns.of_one(40), turns.of_one(60):
            waiting = asyncio.ensure_future(turns.of_one(1).__aenter__())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting, 0.01)
            assert turns.sizes == [40, 60]
        async with turns.of_one(1000):
            assert turns.sizes == [1000]

    asyncio.run(tried())
