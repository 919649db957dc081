"""Frames to the recorder and its orders back: docs/runner-protocol.md, sections 3, 5 and 10.

Nothing here knows of an engine: a runner for another one takes this file as it is.
"""

import json
import os
import select
import socket
import struct

# Bytes of hook records that are kept before they are sent, and most bytes of memory in one frame.
RECORDS = 28 * 4096
PIECE = 1 << 20

RECORD = struct.Struct("<iqqq")
STOP, SHOW, READ, ANSWER = 1, 2, 3, 4


class SetupFailed(Exception):
    """The engine cannot be set up, or the job is not understood: an error for the user."""


class Stopped(Exception):
    """The recorder wants the run to end."""


class Exited(Exception):
    """The guest ended itself: the answer to a host call says so."""

    def __init__(self, code):
        super().__init__(f"exit code {code}")
        self.code = code


class HostTrap(Exception):
    """A host call ends in a trap, with these words."""


class Recorder:
    """The other end of the socket. All of it blocks: the guest waits while its events are sent, and for answers."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.records = bytearray()
        # What is to be done behind every event: see observe.py.
        self.observers = []
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)

    # To the recorder.

    def frame(self, tag, *parts):
        payload = b"".join(parts)
        try:
            self.socket.sendall(tag + struct.pack("<I", len(payload)) + payload)
        except OSError:
            # Nobody listens any more.
            os._exit(1)

    def message(self, content):
        """Sends a control frame, behind all events before it."""
        self.flush()
        self.frame(b"J", json.dumps(content).encode())

    def flush(self):
        if self.records:
            self.frame(b"H", self.records)
            self.records.clear()

    def placed(self, tag, memory, address, content):
        """Sends bytes of a memory with the place they are at."""
        self.frame(tag, struct.pack("<IQ", memory, address), content)

    def hook(self, site, first, second, third):
        """The module calls this behind every instruction that has changed memory."""
        self.records += RECORD.pack(site, first, second, third)
        if len(self.records) >= RECORDS:
            self.flush()
        for look in self.observers:
            look()
        if self._poll.poll(0):
            order = self.byte()
            if order != STOP:
                raise HostTrap(f"the recorder sent order {order}, which nothing had asked for")
            raise Stopped

    # From the recorder.

    def bytes(self, length):
        received = bytearray()
        while len(received) < length:
            piece = self.socket.recv(min(length - len(received), PIECE))
            if not piece:
                os._exit(1)
            received += piece
        return bytes(received)

    def number(self, form):
        """A number, little endian, by its letter in the module struct."""
        return struct.unpack("<" + form, self.bytes(struct.calcsize(form)))[0]

    def byte(self):
        return self.number("B")

    def list(self, read):
        return [read() for _ in range(self.number("I"))]
