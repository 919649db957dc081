"""Tests runners/python/observe.py against sections 4, 6 and 7 of the protocol: a memory without an engine, and the recorder's end
of a socket. Prints the frames that come out; the argument is the runner's folder."""

import json
import socket
import struct
import sys

sys.path.insert(0, sys.argv[1])
import observe
from protocol import Recorder


class Memory:
    def __init__(self, size):
        self.content = bytearray(size)

    def pages(self):
        return len(self.content) // 65536

    def size(self):
        return len(self.content)

    def read(self, address, length):
        return bytes(self.content[address : address + length])


ours, theirs = socket.socketpair()
recorder = Recorder(theirs.detach())
memory = Memory(65536)


def frames():
    """What was sent so far, one per line."""
    recorder.flush()
    ours.setblocking(False)
    sent = b""
    try:
        while True:
            sent += ours.recv(1 << 20)
    except BlockingIOError:
        pass
    ours.setblocking(True)
    while sent:
        tag, length = sent[:1].decode(), struct.unpack_from("<I", sent, 1)[0]
        payload, sent = sent[5 : 5 + length], sent[5 + length :]
        if tag == "J":
            print("J", json.dumps(json.loads(payload)))
        elif tag == "H":
            print("H", [struct.unpack_from("<I", payload, at)[0] for at in range(0, length, 28)])
        elif tag in "IV":
            content = payload[12:]
            print(tag, *struct.unpack_from("<IQ", payload), len(content), {at: byte for at, byte in enumerate(content) if byte})
        else:
            print(tag, json.dumps([f"{page}: {digest:x}" for page, digest in struct.iter_unpack("<QQ", payload[4:])]))


def store(site, address, content):
    memory.content[address : address + len(content)] = content
    recorder.hook(site, address, 0, 0)


print("image")
memory.content[5000] = 7
memory.content[65535] = 9
observe.image(recorder, 0, memory)
frames()
print("watch")
watch = observe.Watch(recorder, {"memory": 0, "ranges": [{"address": 8, "length": 2}, {"address": 65534, "length": 8}]}, [memory])
recorder.observers.append(watch.look)
store(1, 0, b"x")
store(2, 4, b"x")
store(3, 9, b"y")
store(4, 16, b"x")
frames()
recorder.observers.clear()
if observe.digest is None:
    sys.exit(0)
print("checkpoint")
checkpoints = observe.Checkpoints(recorder, {"Bytes": 56}, [memory])
recorder.observers.append(checkpoints.look)
store(5, 0, b"z")
# The order to show pages 1 and 15 arrives before anything waits for it.
show = json.dumps({"Show": [{"memory": 0, "page": 1}, {"memory": 0, "page": 15}]}).encode()
ours.sendall(b"J" + struct.pack("<I", len(show)) + show)
recorder.waits = lambda: False
store(6, 0, b"w")
frames()
