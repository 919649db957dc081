"""An engine that runs nothing: it tells the recorder a story about three stores, true or false.

Speaks the runner protocol like any engine's runner: control messages in JSON, hook records and memory as bytes.
The story is its first argument; the recorder appends its own four.
"""

import json
import os
import signal
import socket
import struct
import sys

story, _, job_path, socket_fd = sys.argv[1:5]
recorder = socket.socket(fileno=int(socket_fd))


def frame(tag, payload):
    recorder.sendall(tag + struct.pack("<I", len(payload)) + payload)


def message(content):
    frame(b"J", json.dumps(content).encode())


def hook(site, *operands):
    frame(b"H", struct.pack("<IQQQ", site, *operands, *[0] * (3 - len(operands))))


memory = bytearray(4096)
pages = 1


def image():
    message({"Image": {"memory": 0, "pages": pages}})
    if any(memory):
        frame(b"I", struct.pack("<IQ", 0, 0) + bytes(memory))
    message("ImageEnd")


with open(job_path, encoding="utf-8") as file:
    job = json.load(file)
with open(job["module"], "rb") as file:
    recorded = b"\x09forkpoint\x05event" in file.read()
watch = job["task"]["Run"]["watch"] if story != "scribbles-unwatched" else None
seen = {}


def look():
    """Shows watched bytes that have changed."""
    for place in watch["ranges"] if watch else []:
        start = place["address"]
        now = bytes(memory[start : start + place["length"]])
        if seen.get(start) != now:
            seen[start] = now
            frame(b"V", struct.pack("<IQ", watch["memory"], start) + now)


def store(site, address, value, at=None):
    """Stores `value`, and reports it; `at` is where it goes, the address by default."""
    at = address if at is None else at
    memory[at : at + 4] = struct.pack("<I", value)
    if recorded:
        hook(site, address, value)
        look()


# Text that acts on a terminal unless it is escaped.
evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\u202e" if story == "hostile" else ""
if evil:
    sys.stderr.buffer.write(evil.encode() + b"\xff\n")
    sys.stderr.flush()

message(
    {
        "Hello": {
            "protocol": 1 if story == "outdated" else 2,
            "spec": "runner" + evil,
            "name": "scripted" + evil,
            "version": "1" + evil,
            "mode": "none" + evil,
            "compiler": "none" + evil,
            "opt_level": "none" + evil,
            "target": "none" + evil,
            "cpu_features": [],
            # Each record is sent at once.
            "settings": [["last events", "kept"]],
        }
    }
)
if story == "garbage":
    frame(b"?", b"this is no frame")
    sys.exit(0)
image()
message("Instantiated")
if watch:
    message("Watching")
message({"Call": 0})
store(8, 0, 1)
if story.startswith("scribbles"):
    memory[100] = 7
if story == "overwrites":
    memory[0] = 7
if story == "widens":
    memory[11:16] = b"\xff" * 5
if story == "outside":
    store(9, 1 << 32, 2, at=4)
else:
    store(9, 4, 2, at=4000 if story == "loses" else None)
if story == "loses":
    memory[4000] = 0
# Engines whose code depends on when another thread finished compiling do not run a module the same way twice.
fickle = story == "fickle" or story == "fickle-recorded" and recorded or story == "fickle-plain" and not recorded
third = int.from_bytes(os.urandom(4), "little") if fickle else 3
store(10, 64, third, at=20 if story == "misplaces" else None)
if story == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
if story == "hides" and not recorded:
    memory[0] = 9
if evil:
    message({"Trapped": {"trap": "Other", "message": evil, "frames": [{"function": 0, "name": evil, "offset": None}]}})
else:
    message({"Returned": []})
if story == "swells":
    pages = 2
image()
message({"State": {"globals": [], "tables": []}})
message("End")
