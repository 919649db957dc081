"""An engine that runs nothing: it tells the recorder a story of two stores, true or false.

Speaks the runner protocol as any engine's runner does: control messages in JSON, hook records and memory as bytes.
The story is its first argument; the recorder appends its own three.
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


def image(content):
    message({"Image": {"memory": 0, "pages": 1}})
    if any(content):
        frame(b"I", struct.pack("<IQ", 0, 0) + bytes(content).ljust(4096, b"\0"))
    message("ImageEnd")


with open(job_path, encoding="utf-8") as file:
    job = json.load(file)
with open(job["module"], "rb") as file:
    recorded = b"\x09forkpoint\x05event" in file.read()

message(
    {
        "Hello": {
            "spec": "runner",
            "name": "scripted",
            "version": "1",
            "mode": "none",
            "compiler": "none",
            "opt_level": "none",
            "target": "none",
            "cpu_features": [],
            "settings": [],
        }
    }
)
if story == "garbage":
    frame(b"?", b"this is no frame")
    sys.exit(0)
image([])
message("Instantiated")
message({"Call": 0})
if recorded:
    hook(8, 0, 1)
    hook(9, 4, 2)
if story == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
message({"Returned": []})
memory = bytearray(128)
memory[0] = 9 if story == "hides" and not recorded else 1
memory[4] = 0 if story == "loses" else 2
memory[100] = 7 if story == "scribbles" else 0
image(memory)
message({"State": {"globals": [], "tables": []}})
message("End")
