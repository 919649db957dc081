#!/usr/bin/env python3
"""Sweeps a corpus by tasks of Ray (PyPI: ray, pyarrow): with_ray.py CORPUS OUT [--engines ...] [-- OPTIONS OF SWEEP]

A task whose worker dies is tried again elsewhere, and batches that are there already are not run again."""

import pathlib

import corpus
import ray


def main():
    options = corpus.arguments(__doc__)
    # Workers on other machines get the module along.
    ray.init(
        address=options.master,
        include_dashboard=False,
        runtime_env={"working_dir": str(pathlib.Path(__file__).parent)},
    )
    task = ray.remote(num_cpus=1, max_retries=4)(corpus.sweep)
    waiting = [task.remote(options, *batch) for batch in corpus.batches(options)]
    total = len(waiting)
    while waiting:
        done, waiting = ray.wait(waiting)
        for number in ray.get(done):
            print(f"batch {number}: {total - len(waiting)} of {total}", flush=True)
    corpus.merge(options)


if __name__ == "__main__":
    main()
