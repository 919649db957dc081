"""Memory as the recorder sees it: whole images, watched bytes and checkpoints (sections 4, 6 and 7).

A memory is any object with `pages()`, `size()` in bytes and `read(address, length)`, which returns as much as there is.
"""

import struct

from protocol import PIECE, Stopped

try:
    from xxhash import xxh3_64_intdigest as digest
except ImportError:
    # Checkpoints are optional, and need digests.
    digest = None

PAGE = 4096
ZEROS = bytes(PIECE)


def pages(memory):
    """Number and bytes of every page that is not all zero."""
    for start in range(0, memory.size(), PIECE):
        piece = memory.read(start, PIECE)
        if piece == ZEROS[: len(piece)]:
            continue
        for at in range(0, len(piece), PAGE):
            page = piece[at : at + PAGE]
            if page != ZEROS[: len(page)]:
                yield (start + at) // PAGE, page


def image(recorder, number, memory):
    """Shows a memory: its size, the pages that are not all zero, the end."""
    recorder.message({"Image": {"memory": number, "pages": memory.pages()}})
    first, run = 0, []
    for page, content in pages(memory):
        # Adjacent pages go together.
        if run and (page != first + len(run) or len(run) * PAGE >= PIECE):
            recorder.placed(b"I", number, first * PAGE, b"".join(run))
            run = []
        if not run:
            first = page
        run.append(content)
    if run:
        recorder.placed(b"I", number, first * PAGE, b"".join(run))
    recorder.message("ImageEnd")


class Watch:
    """Shows watched bytes whenever they have changed."""

    def __init__(self, recorder, watch, memories):
        self.recorder = recorder
        self.number = watch["memory"]
        self.memory = memories[self.number]
        self.ranges = [(place["address"], place["length"]) for place in watch["ranges"]]
        self.last = [None] * len(self.ranges)

    def look(self):
        for i, (address, length) in enumerate(self.ranges):
            now = self.memory.read(address, length)
            if now != self.last[i]:
                self.last[i] = now
                self.recorder.flush()
                self.recorder.placed(b"V", self.number, address, now)


class Checkpoints:
    """Has the recorder compare all memories with what it expects, from time to time."""

    def __init__(self, recorder, wanted, memories):
        self.recorder = recorder
        self.memories = memories
        self.around_calls = wanted == "Calls"
        self.distance = wanted["Bytes"] if isinstance(wanted, dict) else None
        self.since = 0

    def look(self):
        """After an event of 28 bytes."""
        self.since += 28
        if self.distance is not None and self.since >= self.distance:
            self.hold()

    def hold(self):
        self.since = 0
        recorder = self.recorder
        recorder.message({"Checkpoint": {"pages": [memory.pages() for memory in self.memories]}})
        for number, memory in enumerate(self.memories):
            entries = []
            for page, content in pages(memory):
                entries.append(struct.pack("<QQ", page, digest(content.ljust(PAGE, b"\0"))))
                if len(entries) == 1 << 16:
                    recorder.frame(b"D", struct.pack("<I", number), *entries)
                    entries = []
            recorder.frame(b"D", struct.pack("<I", number), *entries)
        recorder.message("CheckpointEnd")
        order, pages_to_show = recorder.order()
        stopped = order == "Stop"
        if stopped:
            order, pages_to_show = recorder.order()
        assert order == "Show", f"the order {order} at a checkpoint"
        for place in pages_to_show:
            number, address = place["memory"], place["page"] * PAGE
            if number < len(self.memories):
                recorder.placed(b"I", number, address, self.memories[number].read(address, PAGE))
        recorder.message("CheckpointDone")
        if stopped:
            raise Stopped
