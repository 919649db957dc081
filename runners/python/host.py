"""Host calls: the recorder answers them (section 9)."""

import struct

from protocol import PIECE, Exited, HostTrap, Stopped


def call(recorder, number, arguments, memories):
    """Asks for the answer to a call of imported function `number`, applies it to the memories, and returns its results."""
    recorder.message({"HostCall": {"function": number, "arguments": arguments}})
    while True:
        order, content = recorder.order()
        if order == "Read":
            send(recorder, content, memories)
        elif order == "Answer":
            return answer(content, memories)
        elif order == "Stop":
            raise Stopped
        else:
            raise HostTrap(f"the recorder sent the order {order} in the middle of a host call")


def send(recorder, ranges, memories):
    """Sends the bytes that the recorder asks for, as far as memory has them."""
    for i, place in enumerate(ranges):
        memory, address = memories[place["memory"]], place["address"]
        end = min(address + place["length"], memory.size())
        for at in range(address, end, PIECE):
            recorder.frame(b"G", struct.pack("<I", i), memory.read(at, min(PIECE, end - at)))
    recorder.message("HostReadEnd")


def answer(content, memories):
    for grow in content["grows"]:
        if not memories[grow["memory"]].grow(grow["pages"]):
            raise HostTrap(f"memory {grow['memory']} cannot be grown by {grow['pages']} pages, as the host did")
    for memory, address, written in content["writes"]:
        if not memories[memory].write(address, written):
            raise HostTrap(f"the host log writes {len(written)} bytes at {address} of memory {memory}, which is smaller")
    end = content["end"]
    if end == "Stopped":
        raise Stopped
    if "Trapped" in end:
        raise HostTrap(end["Trapped"])
    if "Exited" in end:
        raise Exited(end["Exited"])
    return end["Returned"]
