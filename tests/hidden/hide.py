"""Hides a known bug inside a program: python3 hide.py PROGRAM.wasm PATTERN.wasm OFFSET OUTPUT.wasm

The first function of PATTERN, which has neither parameters nor results and touches nothing but memory 0, is added to the program,
and the function whose code holds the file offset OFFSET (or the one with the index OFFSET, if it begins with `#`) calls it first.
docs/reduce.md has the figures that are measured with it.
"""

import sys


def number(data, at):
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def leb(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def sections(data):
    """Each section's id, contents, and where these are in the file."""
    at, found = 8, []
    while at < len(data):
        size, start = number(data, at + 1)
        found.append([data[at], data[start : start + size], start])
        at = start + size
    return found


def bodies(contents):
    """Each body, and where it begins in the section."""
    count, at = number(contents, 0)
    found = []
    for _ in range(count):
        size, start = number(contents, at)
        found.append([contents[start : start + size], start])
        at = start + size
    return found


def imported_functions(contents):
    count, at = number(contents, 0)
    functions = 0
    for _ in range(count):
        for _ in range(2):
            length, at = number(contents, at)
            at += length
        kind, at = contents[at], at + 1
        if kind == 0:
            _, at = number(contents, at)
            functions += 1
        elif kind == 3:
            at += 2
        else:
            at += kind == 1
            limits, at = contents[at], at + 1
            for _ in range(1 + (limits & 1)):
                _, at = number(contents, at)
    return functions


def first_instruction(body):
    groups, at = number(body, 0)
    for _ in range(groups):
        _, at = number(body, at)
        at += 1
    return at


def appended(contents, item):
    """A vector with one more item."""
    count, at = number(contents, 0)
    return leb(count + 1) + contents[at:] + item


def main(program, pattern, offset, output):
    data = open(program, "rb").read()
    hidden = next(bodies(c)[0][0] for i, c, _ in sections(open(pattern, "rb").read()) if i == 10)
    parts = sections(data)
    by_id = {part[0]: part for part in parts if part[0]}
    imported = imported_functions(by_id[2][1]) if 2 in by_id else 0
    types, _ = number(by_id[1][1], 0)
    code = bodies(by_id[10][1])
    start = by_id[10][2]
    if offset.startswith("#"):
        caller = int(offset[1:]) - imported
    else:
        wanted = int(offset, 0) - start
        caller = max(at for at, (_, begin) in enumerate(code) if begin <= wanted)
    body = code[caller][0]
    first = first_instruction(body)
    code[caller][0] = body[:first] + b"\x10" + leb(imported + len(code)) + body[first:]
    code.append([hidden, 0])
    by_id[1][1] = appended(by_id[1][1], b"\x60\0\0")
    by_id[3][1] = appended(by_id[3][1], leb(types))
    by_id[10][1] = leb(len(code)) + b"".join(leb(len(body)) + body for body, _ in code)
    with open(output, "wb") as file:
        file.write(data[:8])
        for kind, contents, _ in parts:
            file.write(bytes([kind]) + leb(len(contents)) + contents)
    print(f"function {caller + imported} of {len(code)} calls it")


main(*sys.argv[1:])
