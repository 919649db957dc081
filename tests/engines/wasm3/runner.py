"""wasm3 as an engine, by its C interface: an interpreter that is not written in Rust and validates nothing.

    forkpoint compare app.wasm --rhs 'runner:python3 tests/engines/wasm3/runner.py target/engines/libs/libwasm3-0.5.0.so'

It takes protocol.py, host.py and observe.py from the reference runner in runners/python. wasm3 does not enumerate imports, so
sections of the module are parsed here; it has no interface to tables and at most one memory.
"""

import ctypes
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "runners", "python"))

import host
from observe import Watch, image
from protocol import VERSION, Exited, HostTrap, Recorder, SetupFailed, Stopped

RELEASE = "0.5.0"
STACK = 1 << 20

KINDS = [None, "I32", "I64", "F32", "F64"]

# Phrases in the engine's messages about traps.
TRAPS = [
    ("out of bounds memory access", "MemoryOutOfBounds"),
    ("integer divide by zero", "IntegerDivideByZero"),
    ("integer overflow", "IntegerOverflow"),
    ("invalid conversion to integer", "InvalidConversion"),
    ("indirect call type mismatch", "IndirectCallType"),
    ("undefined element", "TableOutOfBounds"),
    ("null table element", "UndefinedElement"),
    ("unreachable executed", "Unreachable"),
    ("stack overflow", "StackOverflow"),
]

POINTER = ctypes.c_void_p
CALLBACK = ctypes.CFUNCTYPE(POINTER, POINTER, ctypes.POINTER(POINTER * 2), ctypes.POINTER(ctypes.c_uint64), POINTER)


class Tagged(ctypes.Structure):
    """A value of a global."""

    _fields_ = [("kind", ctypes.c_int), ("bits", ctypes.c_uint64)]


class Refused(Exception):
    """The engine rejects the module, with its own message."""


class Library:
    """The C interface: results are messages, or none on success."""

    SIGNATURES = {
        "m3_NewEnvironment": (POINTER, []),
        "m3_NewRuntime": (POINTER, [POINTER, ctypes.c_uint32, POINTER]),
        "m3_ParseModule": (ctypes.c_char_p, [POINTER, POINTER, ctypes.c_char_p, ctypes.c_uint32]),
        "m3_LoadModule": (ctypes.c_char_p, [POINTER, POINTER]),
        "m3_CompileModule": (ctypes.c_char_p, [POINTER]),
        "m3_LinkRawFunctionEx": (ctypes.c_char_p, [POINTER, ctypes.c_char_p, ctypes.c_char_p, POINTER, CALLBACK, POINTER]),
        "m3_FindFunction": (ctypes.c_char_p, [POINTER, POINTER, ctypes.c_char_p]),
        "m3_GetArgCount": (ctypes.c_uint32, [POINTER]),
        "m3_GetRetCount": (ctypes.c_uint32, [POINTER]),
        "m3_GetArgType": (ctypes.c_int, [POINTER, ctypes.c_uint32]),
        "m3_GetRetType": (ctypes.c_int, [POINTER, ctypes.c_uint32]),
        "m3_Call": (ctypes.c_char_p, [POINTER, ctypes.c_uint32, POINTER]),
        "m3_GetResults": (ctypes.c_char_p, [POINTER, ctypes.c_uint32, POINTER]),
        "m3_GetMemory": (POINTER, [POINTER, POINTER, ctypes.c_uint32]),
        "m3_FindGlobal": (POINTER, [POINTER, ctypes.c_char_p]),
        "m3_GetGlobal": (ctypes.c_char_p, [POINTER, POINTER]),
    }

    def __init__(self, path):
        library = ctypes.CDLL(path)
        for name, (result, arguments) in self.SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def types(self, function):
        """Kinds of arguments and results."""
        arguments = [KINDS[self.m3_GetArgType(function, i)] for i in range(self.m3_GetArgCount(function))]
        return arguments, [KINDS[self.m3_GetRetType(function, i)] for i in range(self.m3_GetRetCount(function))]


def checked(words):
    if words is not None:
        raise Refused(words.decode(errors="replace"))


class Memory:
    """The memory of a runtime, which moves whenever it grows."""

    def __init__(self, library, runtime):
        self.library = library
        self.runtime = runtime

    def _place(self):
        size = ctypes.c_uint32(0)
        start = self.library.m3_GetMemory(self.runtime, ctypes.byref(size), 0)
        return start or 0, size.value if start else 0

    def size(self):
        return self._place()[1]

    def pages(self):
        return self.size() // 65536

    def read(self, address, length):
        start, size = self._place()
        length = min(length, size - address)
        return ctypes.string_at(start + address, length) if length > 0 else b""

    def write(self, address, content):
        start, size = self._place()
        if address + len(content) > size:
            return False
        ctypes.memmove(start + address, content, len(content))
        return True

    def grow(self, pages):
        """The interface has no function for it."""
        return pages == 0


class Sections:
    """Facts about a module that the interface does not give."""

    def __init__(self, module):
        self.module, self.at = module, 8
        # Names and kinds of imports, up to the first that is not a function; smallest sizes of tables.
        self.imports, self.tables = [], []
        # The module without custom sections.
        self.bare = module[:8]
        while self.at < len(module):
            start = self.at
            section, size = self._number(), self._number()
            end = self.at + size
            if section == 2:
                self._imports(self._number())
            elif section == 4:
                self.tables = [self._table() for _ in range(self._number())]
            if section != 0:
                self.bare += module[start:end]
            self.at = end

    def _number(self):
        value = shift = 0
        while True:
            byte = self.module[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _name(self):
        length = self._number()
        self.at += length
        return self.module[self.at - length : self.at]

    def _imports(self, count):
        for _ in range(count):
            self.imports.append((self._name(), self._name(), self._number()))
            if self.imports[-1][2] != 0:
                # Nobody provides it, so its type does not matter.
                return
            self._number()

    def _table(self):
        self._number()
        has_maximum = self._number() & 1
        least = self._number()
        if has_maximum:
            self._number()
        return least


class Instance:
    """A module under the engine. An exception in a host function is kept until the call is over."""

    def __init__(self, library, content, recorder):
        self.library = library
        self.recorder = recorder
        self.raised = None
        # The engine keeps pointers to both.
        self.callbacks, self.words = [], ctypes.create_string_buffer(b"the recorder ends the call")
        environment = library.m3_NewEnvironment()
        self.runtime = library.m3_NewRuntime(environment, STACK, None)
        self.module = POINTER()
        self.parse(environment, content)
        self.sections = Sections(content)
        # It also looks up exports in the name section, whose names take precedence.
        self.parse(environment, self.sections.bare)
        self.memory = Memory(library, self.runtime)
        self.memories = []

    def parse(self, environment, content):
        # The engine keeps pointers to these bytes.
        self.content = content
        checked(self.library.m3_ParseModule(environment, ctypes.byref(self.module), content, len(content)))

    def load(self):
        checked(self.library.m3_LoadModule(self.runtime, self.module))

    def link(self):
        functions = 0
        for module, name, kind in self.sections.imports:
            if kind != 0:
                raise Refused(f"nothing provides the import {module.decode()}.{name.decode()}")
            if (module, name) == (b"forkpoint", b"event"):
                answer = self.hook
            else:
                answer = self.answered(functions)
                functions += 1
            callback = CALLBACK(answer)
            self.callbacks.append(callback)
            words = self.library.m3_LinkRawFunctionEx(self.module, module, name, None, callback, None)
            # An import that nobody calls need not be linked.
            if words != b"function lookup failed":
                checked(words)

    def hook(self, _runtime, _context, stack, _memory):
        return self.kept(lambda: self.recorder.hook(*struct.unpack("<i4xqqq", ctypes.string_at(stack, 32))))

    def answered(self, number):
        def answer(_runtime, context, stack, _memory):
            def call():
                arguments, results = self.library.types(context.contents[1])
                told = [told_of(kind, stack[len(results) + i]) for i, kind in enumerate(arguments)]
                for i, value in enumerate(host.call(self.recorder, number, told, self.memories)):
                    stack[i] = bits_of(value)

            return self.kept(call)

        return answer

    def kept(self, action):
        try:
            action()
        except Exception as error:
            self.raised = error
            return ctypes.addressof(self.words)
        return None

    def call(self, name, values):
        """How a call ends, as a message."""
        function = POINTER()
        # This compiles the function and what it calls.
        words = self.library.m3_FindFunction(ctypes.byref(function), self.runtime, name.encode())
        if words is None:
            kinds = self.library.types(function)
            slots = [ctypes.c_uint64(bits_of(value)) for value in values]
            words = self.library.m3_Call(function, len(slots), pointers(slots))
        raised, self.raised = self.raised, None
        if isinstance(raised, Stopped):
            return "Stopped"
        if isinstance(raised, Exited):
            return {"Exited": raised.code}
        if isinstance(raised, HostTrap):
            return {"Trapped": {"trap": "HostError", "message": str(raised), "frames": []}}
        if raised is not None:
            raise raised
        if words is not None:
            message = words.decode(errors="replace").removeprefix("[trap] ")
            trap = next((kind for phrase, kind in TRAPS if phrase in message), "Other")
            return {"Trapped": {"trap": trap, "message": message, "frames": []}}
        results = [ctypes.c_uint64(0) for _ in kinds[1]]
        checked(self.library.m3_GetResults(function, len(results), pointers(results)))
        return {"Returned": [told_of(kind, slot.value) for kind, slot in zip(kinds[1], results)]}

    def value(self, name):
        """The value of an exported global."""
        tagged = Tagged()
        checked(self.library.m3_GetGlobal(self.library.m3_FindGlobal(self.module, name.encode()), ctypes.byref(tagged)))
        return told_of(KINDS[tagged.kind], tagged.bits)


def pointers(slots):
    return (POINTER * max(len(slots), 1))(*[ctypes.addressof(slot) for slot in slots])


def told_of(kind, bits):
    """A value in the recorder's notation."""
    if kind == "I32":
        return {kind: struct.unpack("<i", struct.pack("<I", bits & 0xFFFFFFFF))[0]}
    if kind == "I64":
        return {kind: struct.unpack("<q", struct.pack("<Q", bits))[0]}
    return {kind: bits & 0xFFFFFFFF if kind == "F32" else bits}


def bits_of(value):
    [(kind, content)] = value.items()
    if kind not in KINDS:
        raise SetupFailed(f"wasm3 has no values of type {kind.lower()}: this call cannot be made")
    return content & (0xFFFFFFFF if kind == "I32" else 0xFFFFFFFFFFFFFFFF)


def run(job, library, recorder):
    task = job["task"]["Run"]
    if job["features"]:
        raise SetupFailed(f"wasm3 has no proposals to switch: {' '.join(job['features'])}")
    if job["memory_page_limit"] is not None:
        raise SetupFailed("this runner does not limit memories of wasm3")
    recorder.message(
        {
            "Hello": {
                "protocol": VERSION,
                "spec": f"runner:{job['engine']['Runner']['command']}",
                "name": "wasm3",
                "version": RELEASE,
                "mode": "interpreter",
                "compiler": "default",
                "opt_level": "none",
                "target": os.uname().machine,
                "cpu_features": [],
                "settings": [["last events", "kept"]],
            }
        }
    )
    contents = []
    for path in (job["original"], job["module"]):
        with open(path, "rb") as file:
            contents.append(file.read())
    stage = "validate"
    try:
        # It does not validate, but rejects what it cannot parse.
        Instance(library, contents[0], recorder)
        recorder.message({"Accepted": stage})
        stage = "compile"
        instance = Instance(library, contents[1], recorder)
        if not task["stages_only"]:
            # Functions are compiled when they are first called. All are compiled now, to make this stage meaningful; that
            # needs their imports.
            stage = "instantiate"
            instance.load()
            stage = "compile"
            instance.link()
            checked(library.m3_CompileModule(instance.module))
        recorder.message({"Accepted": "compile"})
    except Refused as error:
        return recorder.message({"Rejected": {"stage": stage, "message": str(error), "offset": None, "code": None}})
    if task["stages_only"]:
        return recorder.message("End")
    instance.memories += [instance.memory for _ in task["memories"][:1]]
    play(task, instance, recorder)


def play(task, instance, recorder):
    """Everything from instantiation on."""

    def show():
        for number, memory in enumerate(instance.memories):
            image(recorder, number, memory)

    show()
    recorder.message("Instantiated")
    if task["watch"] is not None:
        recorder.message("Watching")
        recorder.observers.append(Watch(recorder, task["watch"], instance.memories).look)
    start = [(None, {"function": "forkpoint:start", "arguments": []})] if task["has_start"] else []
    for number, call in start + list(enumerate(task["calls"])):
        recorder.message({"Call": number})
        ended = instance.call(call["function"], call["arguments"])
        recorder.message(ended)
        if ended == "Stopped" or "Exited" in ended or (number is None and "Returned" not in ended):
            break
    show()
    # The interface has no tables. The engine has no instruction that could make one larger.
    tables = instance.sections.tables[: len(task["tables"])]
    recorder.message({"State": {"globals": [instance.value(name) for name in task["globals"]], "tables": tables}})
    recorder.message("End")


def main():
    path, _, job_path, descriptor, buffer = sys.argv[1:]
    recorder = Recorder(int(descriptor), int(buffer))
    try:
        with open(job_path, encoding="utf-8") as file:
            job = json.load(file)
        if job["protocol"] != VERSION:
            raise SetupFailed(f"this runner speaks version {VERSION} of the runner protocol, and not {job['protocol']}")
        run(job, Library(path), recorder)
    except SetupFailed as error:
        recorder.message({"SetupFailed": str(error)})
    except Exception as error:
        recorder.message({"Failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
