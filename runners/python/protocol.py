"""Frames to the recorder and its orders back: docs/runner-protocol.md, sections 3, 5 and 10.

Nothing here depends on an engine: a runner for another one uses this file unchanged.
"""

import json
import mmap
import os
import select
import socket
import struct

# The version of the protocol.
VERSION = 2

# Bytes of hook records that are buffered before they are sent, and most bytes of memory in one frame.
RECORDS = 28 * 4096
PIECE = 1 << 20

RECORD = struct.Struct("<iqqq")
# The head of the shared buffer: bytes of records in it, number of the frame that is being sent, eight bytes that are not for
# runners; then the records.
USED, SENDING, HEAD = 0, 4, 16
WORD = struct.Struct("<I")


class SetupFailed(Exception):
    """The engine cannot be set up, or the job is not understood: an error for the user."""


class Stopped(Exception):
    """The recorder wants the run to end."""


class Exited(Exception):
    """The guest ended itself, by the answer to a host call."""

    def __init__(self, code):
        super().__init__(f"exit code {code}")
        self.code = code


class HostTrap(Exception):
    """A host call ends in a trap, with this message."""


class Recorder:
    """The other end of the socket. All of it blocks: the guest waits while its events are sent, and for answers."""

    def __init__(self, descriptor, buffer=None):
        self.socket = socket.socket(fileno=descriptor)
        # Records that are not sent yet. The recorder reads them if this process dies, so none is lost.
        self.records = bytearray(HEAD + RECORDS) if buffer is None else mmap.mmap(buffer, 0)
        self.used = 0
        self.sent = 0
        # Bytes from the recorder that are not read yet.
        self.received = bytearray()
        # What to do after every event: see observe.py.
        self.observers = []
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)

    # To the recorder.

    def frame(self, tag, *parts):
        payload = b"".join(parts)
        try:
            self.socket.sendall(tag + struct.pack("<I", len(payload)) + payload)
        except OSError:
            # Nobody is listening.
            os._exit(1)

    def message(self, content):
        """Sends a control frame, after all events before it."""
        self.flush()
        self.frame(b"J", json.dumps(content).encode())

    def flush(self):
        if not self.used:
            return
        # In this order: whenever the process dies, the recorder gets each record once.
        self.sent = self.sent % 0xFFFFFFFF + 1
        WORD.pack_into(self.records, SENDING, self.sent)
        self.frame(b"H", self.records[HEAD : HEAD + self.used])
        self.used = 0
        WORD.pack_into(self.records, USED, 0)
        WORD.pack_into(self.records, SENDING, 0)

    def placed(self, tag, memory, address, content):
        """Sends bytes of a memory, with their place."""
        self.frame(tag, struct.pack("<IQ", memory, address), content)

    def hook(self, site, first, second, third):
        """The module calls this after every instruction that has changed memory."""
        RECORD.pack_into(self.records, HEAD + self.used, site, first, second, third)
        self.used += RECORD.size
        WORD.pack_into(self.records, USED, self.used)
        if self.used >= RECORDS:
            self.flush()
        for look in self.observers:
            look()
        if self.waits():
            order, _ = self.order()
            if order != "Stop":
                raise HostTrap(f"the recorder sent the order {order}, which nothing had asked for")
            raise Stopped

    # From the recorder.

    def order(self):
        """Waits for the next order: its name and its content. The content of an answer includes the bytes that it writes, which
        come before it: memory, address and content each."""
        writes = []
        while True:
            tag, length = struct.unpack("<cI", self.bytes(5))
            payload = self.bytes(length)
            if tag == b"W":
                writes.append((*struct.unpack_from("<IQ", payload), payload[12:]))
                continue
            if tag != b"J":
                raise ValueError(f"the recorder sent an unknown frame {tag}")
            order = json.loads(payload)
            name, content = (order, None) if isinstance(order, str) else next(iter(order.items()))
            if name == "Answer":
                content["writes"] = writes
            return name, content

    def waits(self):
        """Whether an order has come that is not read yet."""
        return bool(self.received or self._poll.poll(0))

    def bytes(self, length):
        while len(self.received) < length:
            piece = self.socket.recv(PIECE)
            if not piece:
                os._exit(1)
            self.received += piece
        taken = bytes(self.received[:length])
        del self.received[:length]
        return taken
