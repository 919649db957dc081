"""The reference runner: wasmtime of any release, through the Python package of that name.

    forkpoint compare app.wasm --rhs 'runner:python3 runners/python/runner.py --opt none'

It implements docs/runner-protocol.md, all of it except native code. To write one for another engine, keep protocol.py,
observe.py and host.py, and change engine.py, program.py, and this file, which has the order of a run.
"""

import argparse
import json
import os
import sys
import traceback

import host
from observe import Checkpoints, Watch, digest, image
from protocol import VERSION, Exited, HostTrap, Recorder, SetupFailed, Stopped

try:
    import wasmtime

    import engine
    import program

    missing = None
except ImportError as error:
    # Reported to the recorder, once there is one.
    missing = error

def arguments():
    """This runner's own, then the recorder's four."""
    parser = argparse.ArgumentParser(description="forkpoint starts this: see docs/runner-protocol.md")
    parser.add_argument("--compiler", choices=["cranelift", "winch"])
    parser.add_argument("--opt", choices=["none", "speed", "speed-and-size"])
    parser.add_argument("--target", help="the triple that code is made for; this machine by default")
    parser.add_argument("--cranelift", action="append", default=[], metavar="FLAG=VALUE", help="--cranelift has_avx2=false")
    parser.add_argument("--features", default="", help="proposals to switch on and off: --features=+gc,-simd")
    parser.add_argument("recorder", nargs=4, metavar="ARGUMENT", help="__run-engine JOB SOCKET BUFFER")
    options = parser.parse_args()
    options.features = [name for name in options.features.split(",") if name]
    options.cranelift = [flag.partition("=")[::2] for flag in options.cranelift]
    for name in options.features:
        if name[0] not in "+-":
            parser.error(f"--features: write +{name} or -{name}")
    return options


def main():
    options = arguments()
    _, job_path, socket, buffer = options.recorder
    recorder = Recorder(int(socket), int(buffer))
    try:
        with open(job_path, encoding="utf-8") as file:
            job = json.load(file)
        if job["protocol"] != VERSION:
            raise SetupFailed(f"this runner speaks version {VERSION} of the runner protocol, and not {job['protocol']}")
        if missing is not None:
            raise SetupFailed(f"{missing}: {sys.executable} -m pip install wasmtime")
        options.features += job["features"]
        run(job, options, recorder)
    except SetupFailed as error:
        recorder.message({"SetupFailed": str(error)})
    except Exception as error:
        # A fault of this program or of the job, and not of the engine.
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"
        recorder.message({"Failed": words})


def run(job, options, recorder):
    task = job["task"]["Run"]
    settled, about = engine.set_up(options)
    spec = job["engine"].get("Runner", {}).get("command", "") if isinstance(job["engine"], dict) else ""
    recorder.message({"Hello": {"protocol": VERSION, "spec": f"runner:{spec}", **about}})
    if any(call["vectors"] for call in task["calls"]):
        raise SetupFailed("the Python package wasmtime has no values of type v128: this call cannot be made")
    store = wasmtime.Store(settled)
    if job["memory_page_limit"] is not None:
        if not hasattr(store, "set_limits"):
            raise SetupFailed(f"wasmtime {engine.version()} for Python has no limit for memories")
        store.set_limits(memory_size=job["memory_page_limit"] * 65536)

    if task.get("script") is not None:
        return program.run(job, recorder, store)

    # Accepted or rejected, stage by stage.
    def rejected(stage, error):
        message = engine.words(error)
        recorder.message({"Rejected": {"stage": stage, "message": message, "offset": engine.offset(message), "code": None}})

    with open(job["module"], "rb") as file:
        content = file.read()
    try:
        stage = "validate"
        with open(job["original"], "rb") as file:
            wasmtime.Module.validate(settled, file.read())
        recorder.message({"Accepted": "validate"})
        stage = "compile"
        module = wasmtime.Module(settled, content)
        recorder.message({"Accepted": "compile"})
    except engine.ERRORS as error:
        return rejected(stage, error)
    if task["stages_only"]:
        return recorder.message("End")
    refuse_vectors(task, module)
    # Filled once the instance exists; host functions are only called later.
    memories, around_calls, provided = [], [], []
    try:
        provided += [imported(entry, number, recorder, store, memories, around_calls) for entry, number in numbered(module)]
        exports = wasmtime.Instance(store, module, provided).exports(store)
    except engine.ERRORS as error:
        # Segments before the one that does not fit have been copied by then.
        left = [engine.Memory(it, store) for it in provided if isinstance(it, engine.MEMORIES)]
        images(recorder, left)
        return rejected("instantiate", error)
    memories += [engine.Memory(exports[name], store) for name in task["memories"]]

    images(recorder, memories)
    recorder.message("Instantiated")
    if task["watch"] is not None:
        recorder.message("Watching")
        watch = Watch(recorder, task["watch"], memories)
        recorder.observers.append(watch.look)
        around_calls.append(watch.look)
    if task["checkpoints"] != "None" and digest is not None:
        checkpoints = Checkpoints(recorder, task["checkpoints"], memories)
        if checkpoints.around_calls:
            around_calls.append(checkpoints.hold)
        else:
            recorder.observers.append(checkpoints.look)

    start = [(None, {"function": "forkpoint:start", "arguments": []})] if task["has_start"] else []
    for number, call in start + list(enumerate(task["calls"])):
        recorder.message({"Call": number})
        ended = make_call(exports[call["function"]], store, call["arguments"])
        recorder.message(ended)
        returned = "Returned" in ended
        # If the start function failed, there is no instance, so no export can be called.
        if ended == "Stopped" or "Exited" in ended or (number is None and not returned):
            break

    images(recorder, memories)
    values = [exports[name] for name in task["globals"]]
    recorder.message(
        {
            "State": {
                "globals": [engine.from_engine(value.value(store), value.type(store).content) for value in values],
                "tables": [exports[name].size(store) for name in task["tables"]],
            }
        }
    )
    recorder.message("End")


def images(recorder, memories):
    for number, memory in enumerate(memories):
        image(recorder, number, memory)


def numbered(module):
    """The imports, with numbers for functions other than the hook."""
    functions = 0
    for entry in module.imports:
        is_hook = (entry.module, entry.name) == ("forkpoint", "event")
        if isinstance(entry.type, wasmtime.FuncType) and not is_hook:
            yield entry, functions
            functions += 1
        else:
            yield entry, None


def imported(entry, number, recorder, store, memories, around_calls):
    """What the module gets for an import: the hook, a fresh memory, or a function that the recorder answers."""
    of_type = entry.type
    if isinstance(of_type, wasmtime.MemoryType):
        if getattr(of_type, "is_shared", False):
            return wasmtime.SharedMemory(store.engine, of_type)
        return wasmtime.Memory(store, of_type)
    if not isinstance(of_type, wasmtime.FuncType):
        raise wasmtime.WasmtimeError(f"{entry.module}.{entry.name}: this runner provides functions and memories only")
    if number is None:
        return wasmtime.Func(store, of_type, recorder.hook)
    types = of_type.params

    def answered(*values):
        for look in around_calls:
            look()
        told = [engine.from_engine(value, of_type) for value, of_type in zip(values, types)]
        results = [engine.to_engine(value) for value in host.call(recorder, number, told, memories)]
        for look in around_calls:
            look()
        return results if len(results) > 1 else results[0] if results else None

    return wasmtime.Func(store, of_type, answered)


def refuse_vectors(task, module):
    exported = [entry.type.content for entry in module.exports if entry.name in task["globals"]]
    functions = [entry.type for entry in module.imports if isinstance(entry.type, wasmtime.FuncType)]
    for of_type in exported + [of_type for function in functions for of_type in function.params + function.results]:
        if engine.is_vector(of_type):
            raise SetupFailed("the Python package wasmtime has no values of type v128: globals and imports cannot have them")


def make_call(function, store, values):
    """How a call ends, as a message."""
    try:
        results = function(store, *map(engine.to_engine, values))
    except Stopped:
        return "Stopped"
    except Exited as error:
        return {"Exited": error.code}
    except HostTrap as error:
        return {"Trapped": {"trap": "HostError", "message": str(error), "frames": []}}
    except engine.ERRORS as error:
        return engine.trapped(error)
    types = function.type(store).results
    results = [results] if len(types) == 1 else results or []
    return {"Returned": [engine.from_engine(value, of_type) for value, of_type in zip(results, types)]}


if __name__ == "__main__":
    main()
