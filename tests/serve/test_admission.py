"""Whose turn it is."""

import asyncio

import pytest

from vibethinker_local.serve.admission import Admission, Full, Visit


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_holds_the_least_comes_first() -> None:
    async def run() -> None:
        admission, order = Admission(2), list[str]()

        async def take(name: str, visit: Visit) -> None:
            await admission.take(visit)
            order.append(name)

        with admission.visit() as many, admission.visit() as one, admission.visit() as last:
            tasks = [asyncio.create_task(take("many", many)) for _ in range(4)]
            await settle()
            assert order == ["many", "many"]
            tasks += [asyncio.create_task(take(name, visit)) for name, visit in (("one", one), ("last", last))]
            await settle()
            assert (admission.running, admission.waiting) == (2, 2)
            admission.give(many)
            await settle()
            admission.give(many)
            await settle()
            assert order[2:] == ["one", "many"]  # at the second, none of them holds any
            admission.give(one)
            await settle()
            admission.give(last)
            await settle()
            assert order[4:] == ["last", "many"]
            await asyncio.gather(*tasks)

    asyncio.run(run())


def test_one_that_is_cancelled_takes_no_place() -> None:
    async def run() -> None:
        admission = Admission(1)
        with admission.visit() as first, admission.visit() as second:
            await admission.take(first)
            waiting, granted = (asyncio.create_task(admission.take(second)) for _ in range(2))
            await settle()
            waiting.cancel()
            await settle()
            admission.give(first)
            granted.cancel()  # in the moment in which it gets it
            await asyncio.gather(waiting, granted, return_exceptions=True)
        assert admission.running == 0

    asyncio.run(run())


def test_a_request_for_more_than_there_are_places_gives_back_what_it_took() -> None:
    async def run() -> None:
        admission = Admission(2)

        async def draw(visit: Visit) -> None:
            await admission.take(visit)
            try:
                await asyncio.sleep(60)
            finally:
                admission.give(visit)

        with admission.visit() as left, admission.visit() as next_one:
            tasks = [asyncio.create_task(draw(left)) for _ in range(6)]
            await settle()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (admission.running, left.held) == (0, 0)
            assert admission.take_free(next_one, 9) == 2

    asyncio.run(run())


def test_free_places_are_taken_only_where_nobody_waits() -> None:
    async def run() -> None:
        admission = Admission(4)
        with admission.visit() as vote, admission.visit() as other:
            await admission.take(vote)
            assert admission.take_free(vote, 2) == 2
            await admission.take(other)
            waits = asyncio.create_task(admission.take(other))
            await settle()
            assert admission.take_free(vote, 3) == 0
            admission.give(vote, 3)
            await waits
            assert admission.running == 2

    asyncio.run(run())


def test_one_that_waits_says_so_and_takes_no_place_if_it_leaves() -> None:
    async def test() -> None:
        admission = Admission(1)
        with admission.visit() as first, admission.visit() as second:
            await admission.take(first)
            for granted in (False, True):
                taking = admission.taking(second, 0.01)
                await anext(taking)
                await anext(taking)
                if granted:
                    admission.give(first)
                    await settle()
                    assert second.held == 1
                await taking.aclose()
                await settle()
                assert (second.held, admission.waiting) == (0, 1 + granted)
            assert [None async for _ in admission.taking(first, 60)] == []
            assert (first.held, admission.running) == (1, 1)

    asyncio.run(test())


def test_the_queue_has_an_end() -> None:
    async def run() -> None:
        admission = Admission(1, waiting=1)
        with admission.visit(), admission.visit():
            with pytest.raises(Full) as full, admission.visit():
                pass
            assert full.value.retry_after >= 1
        with admission.visit():
            pass

    asyncio.run(run())
