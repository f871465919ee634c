"""The process group of a training without torchrun."""

from marquee.training import distributed


def test_process_without_torchrun_is_rank_0_of_one() -> None:
    assert (distributed.global_rank(), distributed.world_size()) == (0, 1)
    assert distributed.is_first()


def test_collectives_of_one_process_return_its_value() -> None:
    assert distributed.all_gather(3) == [3]
    assert distributed.all_reduce_max(15) == 15
    assert distributed.on_first_rank(lambda: "x") == "x"
