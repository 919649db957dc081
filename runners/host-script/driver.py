"""Runs a host script for forkpoint: python3 driver.py FILE, with a socket to the engine's process as standard input.

What a script looks like and what it may do is in docs/host.md.
"""

import importlib.util
import json
import os
import struct
import sys
import traceback

SOCKET = 0


class Trap(Exception):
    """The guest traps. Any other exception is an error of the script."""


class Exit(Exception):
    """The guest ends."""


def take(length):
    parts = []
    while length > 0:
        part = os.read(SOCKET, min(length, 1 << 20))
        if not part:
            # The engine's process is gone.
            os._exit(0)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def hear():
    words, memory = struct.unpack("<II", take(8))
    return json.loads(take(words)), take(memory)


def say(message, data=b""):
    words = json.dumps(message).encode()
    left = memoryview(struct.pack("<II", len(words), len(data)) + words + data)
    while left:
        left = left[os.write(SOCKET, left) :]


def ask(message, data=b""):
    say(message, data)
    answer, read = hear()
    if isinstance(answer, dict) and "outside" in answer:
        raise Trap(answer["outside"])
    return answer, read


def unsigned(value):
    """A pointer is an i32 or an i64, so it may come as a negative number: addresses are unsigned."""
    if value < 0:
        value &= 0xFFFFFFFF if value >= -(1 << 31) else 0xFFFFFFFFFFFFFFFF
    return str(int(value))


class Memory:
    """The guest's memory, and everything else a function may use."""

    def __init__(self):
        self._arguments = []

    def read(self, address, length):
        """The bytes at an address."""
        return ask({"read": [unsigned(address), unsigned(length)]})[1]

    def write(self, address, data):
        """Writes bytes (or a string, as UTF-8) to an address, and returns how many."""
        data = data.encode() if isinstance(data, str) else bytes(data)
        ask({"write": unsigned(address)}, data)
        return len(data)

    def text(self, address, length=None):
        """UTF-8 text: of this many bytes, or up to a NUL."""
        if length is not None:
            return self.read(address, length).decode(errors="replace")
        start, size, parts = int(unsigned(address)), self.size, []
        at = start
        while at < size:
            part = self.read(at, min(256, size - at))
            before, nul, _ = part.partition(b"\0")
            parts.append(before)
            if nul:
                return b"".join(parts).decode(errors="replace")
            at += len(part)
        raise Trap(f"no NUL ends the text at {start:#x}")

    def grow(self, pages):
        """Grows memory by this many pages; returns the previous size in pages, or -1."""
        grown = ask({"grow": unsigned(pages)})[0]["grown"]
        return -1 if grown is None else int(grown)

    @property
    def size(self):
        """Size in bytes."""
        return int(ask("size")[0]["size"][0])

    @property
    def pages(self):
        """Size in pages."""
        return int(ask("size")[0]["size"][1])

    def bits(self, argument):
        """The bits of a float argument, by its number from 0. They tell NaNs apart."""
        kind, text = self._arguments[argument]
        if kind not in ("f32", "f64"):
            raise TypeError(f"argument {argument} is not a float")
        return int(text)

    def trap(self, words):
        """Makes the guest trap."""
        raise Trap(str(words))

    def exit(self, code):
        """Ends the guest with an exit code."""
        raise Exit(int(code))


def from_typed(typed):
    kind, text = typed
    if kind in ("i32", "i64"):
        return int(text)
    if kind == "f32":
        return struct.unpack("<f", struct.pack("<I", int(text)))[0]
    if kind == "f64":
        return struct.unpack("<d", struct.pack("<Q", int(text)))[0]
    if kind == "v128":
        return bytes.fromhex(text)
    return None


def to_typed(value, kind):
    def wrong(hint):
        return TypeError(f"returned {value!r} for a result of type {kind}: {hint}")

    if kind in ("i32", "i64"):
        width = 32 if kind == "i32" else 64
        if type(value) is not int or not -(1 << (width - 1)) <= value < 1 << width:
            raise wrong(f"return an integer of {width} bits")
        return [kind, str(value - (1 << width) if value >= 1 << (width - 1) else value)]
    if kind in ("f32", "f64"):
        width = 32 if kind == "f32" else 64
        if isinstance(value, dict) and type(value.get("bits")) is int:
            return [kind, str(value["bits"] & ((1 << width) - 1))]
        if type(value) not in (int, float):
            raise wrong('return a number, or {"bits": n} for a certain NaN')
        if value != value:
            return [kind, str(0x7FC00000 if width == 32 else 0x7FF8000000000000)]
        try:
            packed = struct.pack("<f" if width == 32 else "<d", value)
        except OverflowError:
            packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
        return [kind, str(int.from_bytes(packed, "little"))]
    if kind == "v128":
        if not isinstance(value, (bytes, bytearray)) or len(value) != 16:
            raise wrong("return 16 bytes")
        return [kind, bytes(value).hex()]
    if value is not None:
        raise wrong("return None")
    return [kind, "null"]


def collect(script):
    """The dictionary `functions`, with (module, name) as keys, and functions named module__name."""
    found = {}
    for name, entry in vars(script).items():
        module, underlines, function = name.partition("__")
        if underlines and module and function and callable(entry):
            found[module, function] = entry
    for (module, function), entry in getattr(script, "functions", {}).items():
        found[str(module), str(function)] = entry
    return found


def call(asked, functions, memory):
    memory._arguments = asked["arguments"]
    function = functions[asked["module"], asked["name"]]
    answer = function(memory, *map(from_typed, asked["arguments"]))
    results = asked["results"]
    if not results:
        return []
    values = [answer] if len(results) == 1 else answer
    if not isinstance(values, (list, tuple)) or len(values) != len(results):
        raise TypeError(f"returned {answer!r} where {len(results)} results are expected")
    return [to_typed(value, kind) for value, kind in zip(values, results)]


def main():
    sys.dont_write_bytecode = True
    path = sys.argv[1]
    sys.path[0] = os.path.dirname(path)
    try:
        spec = importlib.util.spec_from_file_location("host_script", path)
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        functions = collect(script)
        say({"functions": [list(key) for key in functions]})
    except BaseException:
        say({"failed": traceback.format_exc()})
        return
    memory = Memory()
    while True:
        asked = hear()[0]["call"]
        try:
            say({"returned": call(asked, functions, memory)})
        except Trap as trap:
            say({"trap": str(trap)})
        except Exit as code:
            say({"exit": code.args[0]})
        except Exception:
            say({"failed": f"{asked['module']}.{asked['name']}: {traceback.format_exc()}"})
        finally:
            sys.stdout.flush()


main()
