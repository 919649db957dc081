"""A runner that fails in the way that its first argument names, at the place that its second one names.

Places: `early` is before `Hello`, `greeted` right after it, `called` in the middle of the call, after two of its three stores.
It sends each record at once; with `called-keeping` it keeps them back, and with `called-sharing` they are in the shared buffer.
"""

import ctypes
import mmap
import json
import os
import socket
import struct
import subprocess
import sys
import time

how, where, _, job_path, descriptor, buffer = sys.argv[1:7]
where, _, records = where.partition("-")
recorder = socket.socket(fileno=int(descriptor))
os.set_inheritable(recorder.fileno(), True)


def frame(tag, payload):
    recorder.sendall(tag + struct.pack("<I", len(payload)) + payload)


def message(content):
    frame(b"J", json.dumps(content).encode())


def forever(*frames):
    while True:
        for tag, payload in frames:
            frame(tag, payload)


def close():
    """Reports nothing more, and the process goes on."""
    recorder.close()
    os.close(1)
    time.sleep(1000)


def leave():
    """Ends the process, while one that it has started keeps the socket open."""
    subprocess.Popen(["sleep", "1000"], close_fds=False)
    os._exit(7)


def deaf():
    """Asks for answers and reads none."""
    forever((b"J", json.dumps({"HostCall": {"function": 0, "arguments": []}}).encode()))


def flood_output():
    line = b"\x1b[31mnoise " * 4096
    while True:
        os.write(1, line)
        os.write(2, line)


def announced(memory):
    return (b"J", json.dumps({"Image": {"memory": memory, "pages": 1 << 40}}).encode())


WAYS = {
    "abort": os.abort,
    "segv": lambda: ctypes.string_at(8),
    "exit": lambda: os._exit(7),
    "says": lambda: (os.write(2, b"cannot find \x1b[31mlibengine\nlast words"), os._exit(7)),
    "throws": lambda: recorder.at(-1),
    "admits": lambda: (message({"Failed": "an exception in the runner"}), os._exit(1)),
    "panics": lambda: (os.write(2, b"thread 'main' panicked at engine.rs:7:\n\x1b[31mattempt to subtract"), os.abort()),
    "hang": lambda: time.sleep(1000),
    "spin": lambda: [None for _ in iter(int, 1)],
    "close": close,
    "leave": leave,
    "deaf": deaf,
    "output": flood_output,
    "garbage": lambda: forever((b"?", b"garbage" * 1000)),
    "json": lambda: frame(b"J", b"[" * 1000000),
    "binary": lambda: recorder.sendall(os.urandom(1 << 16)),
    "long": lambda: recorder.sendall(b"J" + struct.pack("<I", 0xFFFFFFFF) + bytes(1 << 16)),
    "cut": lambda: (recorder.sendall(b"I" + struct.pack("<I", 1000) + b"cut"), os._exit(7)),
    "images": lambda: forever(announced(0)),
    "bytes": lambda: (
        frame(*announced(0)),
        [frame(b"I", struct.pack("<IQ", 0, at << 20) + b"x" * (1 << 20)) for at in range(1 << 30)],
    ),
    "sparse": lambda: (
        frame(*announced(0)),
        [frame(b"I", struct.pack("<IQ", 0, at << 20) + (b"x" + bytes(4095)) * 256) for at in range(1 << 30)],
    ),
    "overflow": lambda: (frame(*announced(0)), frame(b"I", struct.pack("<IQ", 0, (1 << 64) - 4096) + bytes(8192))),
    "digests": lambda: (message({"Checkpoint": {"pages": [1]}}), forever((b"D", bytes(4) + os.urandom(1 << 20)))),
    "calls": lambda: forever((b"J", b'{"Call":0}'), (b"J", b'{"Returned":[]}')),
    "events": lambda: forever((b"H", struct.pack("<IQQQ", 8, 0, 1, 0) * 4096)),
    "endless": lambda: (message("End"), time.sleep(1000)),
}


def place(name):
    if name == where:
        WAYS[how]()


def image():
    message({"Image": {"memory": 0, "pages": 1}})
    content = bytearray(4096)
    for address, value in stored:
        content[address : address + 4] = struct.pack("<I", value)
    if stored:
        frame(b"I", struct.pack("<IQ", 0, 0) + bytes(content))
    message("ImageEnd")


with open(job_path, encoding="utf-8") as file:
    job = json.load(file)
with open(job["module"], "rb") as file:
    recorded = b"\x09forkpoint\x05event" in file.read()
shared = mmap.mmap(int(buffer), 0)
stored = []
place("early")
kept = [] if records == "keeping" else [["last events", "kept"]]
told = {"protocol": 2, "spec": "runner", "name": "failing", "version": "1", "mode": "none", "compiler": "none", "opt_level": "none"}
message({"Hello": {**told, "target": "none", "cpu_features": [], "settings": kept}})
place("greeted")
image()
message("Instantiated")
message({"Call": 0})
for site, address, value in [(8, 0, 1), (9, 4, 2), (10, 64, 3)]:
    if address == 64:
        place("called")
    stored.append((address, value))
    record = struct.pack("<IQQQ", site, address, value, 0)
    if recorded and records == "sharing":
        used = struct.unpack_from("<I", shared)[0]
        shared[16 + used : 16 + used + len(record)] = record
        struct.pack_into("<I", shared, 0, used + len(record))
    elif recorded and records != "keeping":
        frame(b"H", record)
if recorded and records == "sharing":
    # Sent in the end, as any runner does before another frame.
    struct.pack_into("<I", shared, 4, 1)
    frame(b"H", shared[16 : 16 + struct.unpack_from("<I", shared)[0]])
    struct.pack_into("<II", shared, 0, 0, 0)
message({"Returned": []})
image()
message({"State": {"globals": [], "tables": []}})
message("End")
