import numpy as np

from stripscan.contract.block import Block, LineRange


def test_a_block_covers_its_lost_lines_too():
    block = Block(
        pixels=np.zeros((512, 64), np.uint8),
        camera="top",
        first_line=2**33,
        along_m=10.0,
        mm_per_line=0.3,
        host_ns=1,
        lost=(LineRange(start=2**33 + 5, stop=2**33 + 9),),
    )
    assert block.lines == LineRange(start=2**33, stop=2**33 + 512)
    assert block.lines.lines == 512
