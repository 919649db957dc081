"""Programs of several modules (section 11): directives in order, each instance with the exports of earlier ones."""

import os

import wasmtime

import engine
from observe import image
from protocol import SetupFailed, Stopped

HOOK = ("forkpoint", "event")


class Refused(Exception):
    """A directive's module is refused at a stage."""

    def __init__(self, stage, message):
        super().__init__(message)
        self.stage = stage


class HostValue:
    """A value of the host's that a script passes. Each number is one value."""

    known = {}

    def __init__(self, number):
        self.number = number

    @staticmethod
    def of(number):
        return HostValue.known.setdefault(number, HostValue(number))


class NoMemory:
    """What counts as the memory of an instance that was not made."""

    def pages(self):
        return 0

    def size(self):
        return 0

    def read(self, address, length):
        return b""


class Program:
    def __init__(self, job, recorder, store):
        self.folder = os.path.dirname(job["module"])
        self.script = job["task"]["Run"]["script"]
        self.recorder = recorder
        self.store = store
        # By number: exports, or None where there is no instance.
        self.instances = []
        self.memories = []

    def run(self):
        for number, directive in enumerate(self.script["directives"]):
            self.recorder.message({"Directive": number})
            try:
                self.directive(directive)
            except Refused as error:
                self.recorder.message({"Refused": {"stage": error.stage, "message": str(error)}})
            except Stopped:
                self.recorder.message("Stopped")
                break
            self.recorder.message("DirectiveEnd")
        self.end()

    def directive(self, directive):
        [(kind, content)] = directive.items()
        if kind == "Instantiate":
            self.instantiate(content["instance"])
        elif kind == "Check":
            file = self.file(content["module"])
            self.validate(file)
            self.compile(file)
            self.recorder.message({"Accepted": "compile"})
        elif self.instances[content["instance"]] is not None:
            exports = self.instances[content["instance"]]
            if kind == "Call":
                self.call(exports, content["instance"], content["call"])
            else:
                value = exports[content["global"]]
                self.recorder.message({"Returned": [told(value.value(self.store), value.type(self.store).content)]})

    def file(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def validate(self, content):
        try:
            wasmtime.Module.validate(self.store.engine, content)
        except engine.ERRORS as error:
            raise Refused("validate", engine.words(error)) from error

    def compile(self, content):
        try:
            return wasmtime.Module(self.store.engine, content)
        except engine.ERRORS as error:
            raise Refused("compile", engine.words(error)) from error

    def instantiate(self, number):
        job = self.script["instances"][number]
        first = len(self.memories)
        # Numbers go on, whatever becomes of it.
        self.instances.append(None)
        self.memories += [NoMemory() for _ in job["memories"]]
        self.validate(self.file(job["original"]))
        module = self.compile(self.file(job["module"]))
        if job["stages_only"]:
            return self.recorder.message({"Accepted": "compile"})
        try:
            exports = wasmtime.Instance(self.store, module, self.imports(module, job)).exports(self.store)
        except wasmtime.Trap as error:
            return self.recorder.message(without_frames(engine.trapped(error)))
        except engine.ERRORS as error:
            # Old releases say by such an error, too, that a segment does not fit.
            ended = without_frames(engine.trapped(error))
            if ended["Trapped"]["trap"] in ("MemoryOutOfBounds", "TableOutOfBounds"):
                return self.recorder.message(ended)
            raise Refused("instantiate", engine.words(error)) from error
        self.instances[number] = exports
        for own, name in enumerate(job["memories"]):
            self.memories[first + own] = engine.Memory(exports[name], self.store)
            image(self.recorder, first + own, self.memories[first + own])
        self.recorder.message("Instantiated")
        if job["has_start"]:
            self.call(exports, None, {"function": "forkpoint:start", "arguments": []})

    def imports(self, module, job):
        links = {(link["module"], link["name"]): (link["instance"], link["export"]) for link in job["imports"]}
        provided = []
        for entry in module.imports:
            name = (entry.module, entry.name)
            if name == HOOK:
                provided.append(wasmtime.Func(self.store, entry.type, self.recorder.hook))
                continue
            exports = self.instances[links[name][0]] if name in links else None
            if exports is None:
                raise Refused("instantiate", f"unknown import: `{entry.module}::{entry.name}` has not been defined")
            provided.append(exports[links[name][1]])
        return provided

    def call(self, exports, number, call):
        self.recorder.message({"Call": number})
        function = exports[call["function"]]
        try:
            results = function(self.store, *map(given, call["arguments"]))
            types = function.type(self.store).results
            results = [results] if len(types) == 1 else results or []
            ended = {"Returned": [told(value, of_type) for value, of_type in zip(results, types)]}
        except engine.ERRORS as error:
            # The package does not say which instance a frame belongs to.
            ended = without_frames(engine.trapped(error))
        except NoValue as error:
            ended = {"Trapped": {"trap": "HostError", "message": str(error), "frames": []}}
        self.recorder.message(ended)

    def end(self):
        for number, memory in enumerate(self.memories):
            image(self.recorder, number, memory)
        globals_, tables = [], []
        for job, exports in zip(self.script["instances"], self.instances):
            if exports is None:
                continue
            for name in job["globals"]:
                of_type = exports[name].type(self.store).content
                if engine.is_vector(of_type):
                    raise SetupFailed(f"{NoValue(of_type)}: globals cannot have them")
                globals_.append(engine.from_engine(exports[name].value(self.store), of_type))
            tables += [exports[name].size(self.store) for name in job["tables"]]
        self.recorder.message({"State": {"globals": globals_, "tables": tables}})
        self.recorder.message("End")


class NoValue(Exception):
    """A value that the package cannot pass or take."""

    def __init__(self, of_type):
        super().__init__(f"the Python package wasmtime has no values of type {of_type}")


def given(value):
    """An argument for the engine."""
    [(kind, content)] = value.items()
    if kind == "V128":
        raise NoValue("v128")
    if kind != "Reference":
        return engine.to_engine(value)
    kind, _, number = content.partition(" ")
    if number and kind != "extern":
        raise NoValue(f"{kind}ref")
    return HostValue.of(int(number)) if number else None


def told(value, of_type):
    """A result for the recorder, references by their kind."""
    if engine.is_vector(of_type):
        raise NoValue("v128")
    known = engine.from_engine(value, of_type)
    if known != {"Reference": "reference"}:
        return known
    if isinstance(value, HostValue):
        return {"Reference": f"extern {value.number}"}
    return {"Reference": "func" if isinstance(value, wasmtime.Func) else "extern"}


def without_frames(ended):
    return {"Trapped": {**ended["Trapped"], "frames": []}}


def run(job, recorder, store):
    Program(job, recorder, store).run()
