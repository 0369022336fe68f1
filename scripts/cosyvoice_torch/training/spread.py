"""The same work on many pieces, in processes of their own."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def spread(work: Callable[..., Any], jobs: list[tuple], processes: int) -> Iterator[Any]:
    """What `work(*job)` gives, job after job; all in this process where one process, or one job, is all there is."""
    if processes == 1 or len(jobs) <= 1:
        yield from (work(*job) for job in jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, *zip(*jobs, strict=True))
