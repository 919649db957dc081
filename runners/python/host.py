"""Host calls: the recorder answers them (section 9)."""

import struct

from protocol import ANSWER, PIECE, READ, STOP, Exited, HostTrap, Stopped


def call(recorder, number, arguments, memories):
    """Asks for the answer to a call of imported function `number`, does to the memories what it says, and gives its results,
    each as kind and 16 bytes."""
    recorder.message({"HostCall": {"function": number, "arguments": arguments}})
    while True:
        order = recorder.byte()
        if order == READ:
            send(recorder, memories)
        elif order == ANSWER:
            return answer(recorder, memories)
        elif order == STOP:
            raise Stopped
        else:
            raise HostTrap(f"the recorder sent order {order} in the middle of a host call")


def send(recorder, memories):
    """Sends the bytes that the recorder needs to know, as far as memory has them."""
    ranges = recorder.list(lambda: (recorder.number("I"), recorder.number("Q"), recorder.number("Q")))
    for i, (memory, address, length) in enumerate(ranges):
        end = min(address + length, memories[memory].size())
        for at in range(address, end, PIECE):
            recorder.frame(b"G", struct.pack("<I", i), memories[memory].read(at, min(PIECE, end - at)))
    recorder.message("HostReadEnd")


def answer(recorder, memories):
    grows = recorder.list(lambda: (recorder.number("I"), recorder.number("Q")))
    writes = recorder.list(
        lambda: (recorder.number("I"), recorder.number("Q"), recorder.bytes(recorder.number("I")))
    )
    end = recorder.byte()
    results, words, code = [], "", 0
    if end == 0:
        results = recorder.list(lambda: (recorder.byte(), recorder.bytes(16)))
    elif end == 1:
        words = recorder.bytes(recorder.number("I")).decode(errors="replace")
    elif end == 2:
        code = recorder.number("i")
    for memory, delta in grows:
        if not memories[memory].grow(delta):
            raise HostTrap(f"memory {memory} cannot be grown by {delta} pages, as the host did")
    for memory, address, content in writes:
        if not memories[memory].write(address, content):
            raise HostTrap(f"the host log writes {len(content)} bytes at {address} of memory {memory}, which is smaller")
    if end == 1:
        raise HostTrap(words)
    if end == 2:
        raise Exited(code)
    if end == 3:
        raise Stopped
    return results
