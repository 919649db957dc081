"""What the drivers for Ray and for Spark share: batches of a corpus, one `forkpoint sweep` for each, and merged tables."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

strings = pa.list_(pa.string())

ROWS = pa.schema([
    ("module", pa.string()), ("blake3", pa.string()), ("bytes", pa.uint64()), ("answer", pa.string()),
    ("reason", pa.string()), ("reference", pa.string()), ("odd", strings), ("calls", strings),
    ("findings", pa.uint32()), ("ms", pa.uint64()),
])

FINDINGS = pa.schema([
    ("module", pa.string()), ("blake3", pa.string()), ("signature", pa.string()), ("verdict", pa.string()),
    ("engines", strings), ("position", pa.uint64()), ("function", pa.string()), ("instruction", pa.string()),
    ("calls", strings), ("confirmed", pa.bool_()), ("command", pa.string()),
])


def arguments(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("corpus", type=pathlib.Path, help="a folder of .wasm and .wat files that every worker sees")
    parser.add_argument("out", type=pathlib.Path, help="a folder that every worker sees; an interrupted sweep goes on there")
    parser.add_argument("--engines", default="wasmtime:jit;wasmi")
    parser.add_argument("--batch", type=int, default=200, help="modules of a task")
    parser.add_argument("--forkpoint", default="forkpoint")
    parser.add_argument("--master", default=None, help="address of the cluster [default: this machine]")
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:at])
    options.options = given[at + 1:]
    options.corpus, options.out = options.corpus.resolve(), options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def batches(options):
    """Lists of modules, the same in every run."""
    found = sorted(str(path) for path in options.corpus.rglob("*") if path.suffix in (".wasm", ".wat"))
    return [(start // options.batch, found[start:start + options.batch]) for start in range(0, len(found), options.batch)]


def sweep(options, number, modules):
    """One task: a batch on one processor. Its folder gets its name when it is whole, so a task that died leaves none."""
    done = options.out / f"batch-{number:06}"
    if not done.exists():
        begun = pathlib.Path(tempfile.mkdtemp(prefix="begun-", dir=options.out))
        (begun / "list").write_text("".join(f"{module}\n" for module in modules))
        command = [options.forkpoint, "sweep", begun / "list", "--engines", options.engines, "--jobs", "1"]
        ran = subprocess.run([*command, "--out", begun / "rows", *options.options], capture_output=True, text=True)
        if not (begun / "rows" / "rows.jsonl").exists():
            raise RuntimeError(f"batch {number}: {ran.stderr.strip()}")
        try:
            os.rename(begun / "rows", done)
        except OSError:
            # A second attempt was quicker.
            assert done.exists()
        shutil.rmtree(begun)
    return number


def merge(options):
    """rows.parquet and findings.parquet; forkpoint itself merges the signatures and an example of each."""
    folders = sorted(options.out.glob("batch-*"))
    with pq.ParquetWriter(options.out / "rows.parquet", ROWS) as rows_file, pq.ParquetWriter(
        options.out / "findings.parquet", FINDINGS
    ) as findings_file:
        for folder in folders:
            rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
            findings = [
                {**finding, "module": row["module"], "blake3": row["blake3"], **place(finding)}
                for row in rows
                for finding in row["findings"]
            ]
            rows_file.write_table(
                pa.Table.from_pylist([{**row, "findings": len(row["findings"])} for row in rows], ROWS)
            )
            findings_file.write_table(pa.Table.from_pylist(findings, FINDINGS))
    for begun in options.out.glob("begun-*"):
        shutil.rmtree(begun)
    shutil.rmtree(options.out / "merged", ignore_errors=True)
    command = [options.forkpoint, "sweep", "--merge", *folders, "--out", options.out / "merged"]
    print(subprocess.run(command, capture_output=True, text=True).stdout, end="")


def place(finding):
    site = finding["site"] or {}
    return {"function": site.get("name") or str(site.get("function", "")), "instruction": site.get("instruction")}
