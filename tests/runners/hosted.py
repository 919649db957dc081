"""An engine that runs nothing and has its own host: its guest makes one call, `random_get(128, 8)`, which the host
answers well or badly.

The story is its first argument; the recorder appends its own four.
"""

import json
import socket
import struct
import sys

story, _, job_path, socket_fd = sys.argv[1:5]
recorder = socket.socket(fileno=int(socket_fd))
memory = bytearray(4096)


def frame(tag, payload):
    recorder.sendall(tag + struct.pack("<I", len(payload)) + payload)


def message(content):
    frame(b"J", json.dumps(content).encode())


def order():
    """The recorder's next order and its content; its host never writes."""

    def read(length):
        data = b""
        while len(data) < length:
            data += recorder.recv(length - len(data)) or sys.exit(1)
        return data

    tag, length = struct.unpack("<cI", read(5))
    assert tag == b"J", tag
    content = json.loads(read(length))
    return (content, None) if isinstance(content, str) else next(iter(content.items()))


def image():
    message({"Image": {"memory": 0, "pages": 1}})
    frame(b"I", struct.pack("<IQ", 0, 0) + bytes(memory))
    message("ImageEnd")


def host():
    """Answers the call."""
    if story == "traps":
        return {"Trapped": "no bytes today"}
    if story == "exits":
        return {"Exited": 5}
    if story == "stops":
        return "Stopped"
    if story == "fails":
        memory[130] = 9
        return {"Returned": [{"I32": 28}]}
    memory[128:136] = b"not zero"
    if story == "scribbles":
        memory[300] = 7
    return {"Returned": [{"I64": 0}] if story == "confuses" else [{"I32": 0}]}


def call():
    """Makes the call, and returns how the guest goes on."""
    if recorded:
        # The module's own record of where it calls from.
        frame(b"H", struct.pack("<IQQQ", 5, 1, 0, 0))
    message({"HostCall": {"function": 0, "arguments": [{"I32": 128}, {"I32": 8}]}})
    if story == "hurries":
        message({"HostAnswered": host()})
    while True:
        name, content = order()
        if name == "Read":
            for number, place in enumerate(content):
                stretch = memory[place["address"] : place["address"] + place["length"]]
                frame(b"G", struct.pack("<I", number) + stretch)
            message("HostReadEnd")
        elif name == "CallHost":
            message({"HostAnswered": host()})
        elif name == "Answer":
            end = content["end"]
            assert content["grows"] == []
            if "Returned" in end:
                return {"Returned": []}
            if "Trapped" in end:
                return {"Trapped": {"trap": "HostError", "message": "the host", "frames": []}}
            return end
        else:
            sys.exit(1)


with open(job_path, encoding="utf-8") as file:
    job = json.load(file)
live = job["task"]["Run"]["live_host"]
with open(job["module"], "rb") as file:
    module = file.read()
recorded = b"\x09forkpoint\x05event" in module
# The module that asks whether there is a host has nothing to do with the story.
if b"sched_yield" in module and story not in ("silent", "regrets"):
    story = "true"
host_setting = {"silent": [], "regrets": [["no host", "it is closed today"]]}.get(story, [["host", "a scripted host"]])
message(
    {
        "Hello": {
            "protocol": 2,
            "spec": "runner",
            "name": "scripted",
            "version": "1",
            "mode": "none",
            "compiler": "none",
            "opt_level": "none",
            "target": "none",
            "cpu_features": [],
            "settings": [["last events", "kept"]] + (host_setting if live else []),
        }
    }
)
image()
message("Instantiated")
message({"Call": 0})
message(call())
image()
message({"State": {"globals": [], "tables": []}})
message("End")
