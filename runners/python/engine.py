"""Wasmtime as an engine, by the Python package of that name: 0.28 and all later releases.

A runner for another engine has its own version of this file: settings, memories, values, and the names of traps.
"""

import ctypes
import importlib.metadata
import inspect
import platform
import re
import struct
import sys

import wasmtime

from protocol import SetupFailed

# Harmless proposals that are off by default in old releases.
WANTED = ["memory64", "multi_memory", "simd", "relaxed_simd", "tail_call"]

# Phrases in the engine's messages about traps, each before any that it contains.
TRAPS = [
    ("out of bounds memory access", "MemoryOutOfBounds"),
    ("misaligned memory access", "UnalignedAtomic"),
    ("unaligned atomic", "UnalignedAtomic"),
    ("out of bounds table access", "TableOutOfBounds"),
    ("undefined element", "TableOutOfBounds"),
    ("uninitialized element", "UndefinedElement"),
    ("indirect call type mismatch", "IndirectCallType"),
    ("out of bounds array access", "ArrayOutOfBounds"),
    ("null reference", "NullReference"),
    ("null function reference", "NullReference"),
    ("cast failure", "CastFailure"),
    ("divide by zero", "IntegerDivideByZero"),
    ("invalid conversion to integer", "InvalidConversion"),
    ("integer overflow", "IntegerOverflow"),
    ("call stack exhausted", "StackOverflow"),
    ("allocation size too large", "OutOfMemory"),
    ("uncaught exception", "UncaughtException"),
    ("thrown wasm exception", "UncaughtException"),
    ("unreachable", "Unreachable"),
]

ERRORS = (wasmtime.Trap, wasmtime.WasmtimeError)

# Releases without threads have no shared memories.
MEMORIES = tuple(getattr(wasmtime, name) for name in ("Memory", "SharedMemory") if hasattr(wasmtime, name))


def version():
    try:
        return importlib.metadata.version("wasmtime")
    except importlib.metadata.PackageNotFoundError:
        return getattr(wasmtime, "__version__", "unknown")


def set_up(options):
    """The engine, and what is reported to the recorder about it. `options` has `compiler`, `opt`, `target`, `cranelift` and
    `features`."""
    if "store" not in inspect.signature(wasmtime.Memory.size).parameters:
        raise SetupFailed(f"wasmtime {version()} for Python is older than 0.28, whose interface this runner uses")
    config, settings = configured(options)
    try:
        engine = wasmtime.Engine(config)
        if options.compiler == "winch":
            check_winch(engine, options)
    except ERRORS as error:
        raise SetupFailed(f"wasmtime {version()}: {words(error)}") from error
    about = {
        "name": "wasmtime",
        "version": version(),
        "mode": "jit",
        "compiler": options.compiler or "default",
        "opt_level": options.opt or "default",
        "target": options.target or f"{platform.machine()}-{sys.platform}",
        "cpu_features": [],
        "settings": settings,
    }
    return engine, about


def configured(options):
    """A configuration with everything that was asked for, and the settings as text."""
    config = wasmtime.Config()
    settings = [["python", platform.python_version()], ["programs", "yes"], ["last events", "kept"]]

    def switch(name, value, needed):
        # Every setting of the package is a write-only property; which ones exist depends on the release.
        if not hasattr(wasmtime.Config, name):
            if needed:
                raise SetupFailed(f"wasmtime {version()} for Python has no setting `{name}`")
            return
        try:
            setattr(config, name, value)
        except wasmtime.WasmtimeError as error:
            raise SetupFailed(f"wasmtime {version()} for Python: {name} = {value}: {error}") from error
        settings.append([name, str(value).lower()])

    asked = {name.lstrip("+-").replace("-", "_"): name.startswith("+") for name in options.features}
    if options.compiler == "winch":
        strategy_winch(config)
        settings.append(["strategy", "winch"])
    else:
        for name in WANTED:
            # Relaxed SIMD needs SIMD.
            if name not in asked and not (name == "relaxed_simd" and asked.get("simd") is False):
                switch(f"wasm_{name}", True, needed=False)
        if options.compiler is not None:
            switch("strategy", options.compiler, needed=True)
    for name, value in asked.items():
        switch(f"wasm_{name}", value, needed=True)
    if options.opt is not None:
        switch("cranelift_opt_level", options.opt.replace("-", "_"), needed=True)
    if options.target is not None:
        error = c_function("wasmtime_config_target_set", ctypes.c_void_p)(config.ptr(), options.target.encode())
        if error:
            raise SetupFailed(f"wasmtime {version()} for Python does not know the target {options.target}")
        settings.append(["target", options.target])
    for flag, value in options.cranelift:
        c_function("wasmtime_config_cranelift_flag_set", None)(config.ptr(), flag.encode(), value.encode())
        settings.append([flag, value])
    return config, settings


# A loop that counts: no two compilers generate the same code for it.
LOOP = """(module (func (export "f") (param i32) (result i32) (local i32)
  (loop (local.set 1 (i32.add (local.get 1) (local.get 0))) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (local.get 1)))"""


def check_winch(engine, options):
    """A release without Winch may accept the setting and compile with Cranelift: the generated code shows it."""

    def cranelift():
        config, _ = configured(options)
        wasmtime._ffi.wasmtime_config_strategy_set(config.ptr(), 1)
        return wasmtime.Engine(config)

    winch, once, again = (wasmtime.Module(made, LOOP).serialize() for made in (engine, cranelift(), cranelift()))
    if once == winch or once != again:
        raise SetupFailed(f"wasmtime {version()} for Python accepts the compiler Winch but compiles with Cranelift")


def c_function(name, result):
    """A function of the C interface that the package itself may not offer."""
    try:
        function = wasmtime._ffi.dll[name]
    except (AttributeError, KeyError) as error:
        raise SetupFailed(f"wasmtime {version()} for Python has no function {name}: this cannot be set") from error
    function.restype = result
    return function


def strategy_winch(config):
    """The package offers Winch only in its bindings of the C interface, and only if the release has it."""
    bindings = wasmtime._ffi
    if not hasattr(getattr(bindings, "wasmtime_strategy_enum", None), "WASMTIME_STRATEGY_WINCH"):
        raise SetupFailed(f"wasmtime {version()} for Python does not offer the compiler Winch")
    # Its number in C: the bindings count from 1 where C counts from 0.
    bindings.wasmtime_config_strategy_set(config.ptr(), 2)


class Memory:
    """A memory of the guest. The package gives an address and a size, which both may change whenever the guest runs."""

    def __init__(self, memory, store):
        self.memory = memory
        # Shared memories belong to no store.
        self.store = [store] if isinstance(memory, wasmtime.Memory) else []

    def pages(self):
        return self.memory.size(*self.store) if self.store else self.size() // 65536

    def size(self):
        return self.memory.data_len(*self.store)

    def _address(self):
        return ctypes.cast(self.memory.data_ptr(*self.store), ctypes.c_void_p).value

    def read(self, address, length):
        length = min(length, self.size() - address)
        return ctypes.string_at(self._address() + address, length) if length > 0 else b""

    def write(self, address, content):
        if address + len(content) > self.size():
            return False
        if content:
            ctypes.memmove(self._address() + address, content, len(content))
        return True

    def grow(self, pages):
        try:
            self.memory.grow(*self.store, pages)
            return True
        except ERRORS:
            return False


# Values: the recorder's are objects with the bits of a float, the package's are numbers. A float of 32 bits goes through
# one of 64, so a signalling NaN becomes a quiet one.

FLOATS = {"F32": ("<I", "<f"), "F64": ("<Q", "<d")}
KINDS = ["I32", "I64", "F32", "F64", "V128"]


def to_engine(value):
    [(kind, content)] = value.items()
    if kind in FLOATS:
        bits, number = FLOATS[kind]
        return struct.unpack(number, struct.pack(bits, content))[0]
    return None if kind == "Reference" else content


def from_engine(value, of_type):
    if isinstance(value, wasmtime.Val):
        value = value.value
    kind = str(of_type).upper()
    if kind in FLOATS:
        bits, number = FLOATS[kind]
        return {kind: struct.unpack(bits, struct.pack(number, value))[0]}
    if kind in KINDS:
        return {kind: value}
    return {"Reference": "null" if value is None else "reference"}


def is_vector(of_type):
    """The package has no values of this type, and no name for it."""
    return str(of_type) in ("ValType(4)", "v128")


def words(error):
    """The engine's message in one line, without its backtrace, whose numbers are those of the rewritten module."""
    kept, backtrace = [], False
    for line in str(error).splitlines():
        line = line.strip()
        if line == "Caused by:":
            backtrace = False
        elif line.startswith("Stack backtrace"):
            break
        elif "wasm backtrace" in line:
            backtrace = True
        elif line and not backtrace:
            # Several causes are numbered.
            kept.append(re.sub(r"^\d+: ", "", line))
    return ": ".join(kept)


def trapped(error):
    """The message about a call that trapped."""
    message = words(error)
    trap = next((kind for phrase, kind in TRAPS if phrase in message.lower()), "Other")
    frames = [
        {
            "function": frame.func_index,
            "offset": frame.module_offset if frame.module_offset < 1 << 32 else None,
            "name": frame.func_name,
        }
        for frame in getattr(error, "frames", [])
    ]
    return {"Trapped": {"trap": trap, "message": message, "frames": frames}}


def offset(message):
    """Where in the module the engine found the fault, if it gives the place."""
    found = re.search(r"\(at offset 0x([0-9a-f]+)\)", message)
    return int(found[1], 16) if found else None
