"""Parts of a computation on threads of their own."""

from collections.abc import Iterator

import pytest
import torch

from addon.engine.sam2.cpu.parallel import spread


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_parts(threads: int) -> None:
    parts = list(torch.arange(40).split(3))
    assert torch.equal(torch.cat(spread(lambda part: part * 2, parts)), torch.arange(40) * 2)


def test_a_part_has_one_thread_and_the_callers_modes(threads: int) -> None:
    def modes(_: int) -> tuple[int, bool, bool, torch.dtype]:
        autocast, inference = torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled()
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        return torch.get_num_threads(), autocast, inference, product.dtype

    assert spread(modes, range(5)) == [(1, False, False, torch.float32)] * 5
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert spread(modes, range(5)) == [(1, True, True, torch.bfloat16)] * 5
    assert spread(modes, range(5)) == [(1, False, False, torch.float32)] * 5
    assert torch.get_num_threads() == threads


def test_an_error_in_a_part_is_the_callers(threads: int) -> None:
    def fail(part: int) -> int:
        return 1 // (part - 3)

    with pytest.raises(ZeroDivisionError):
        spread(fail, range(5))
    assert spread(lambda part: part, range(5)) == list(range(5))
