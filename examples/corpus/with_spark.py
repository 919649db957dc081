#!/usr/bin/env python3
"""Sweeps a corpus by tasks of Apache Spark (PyPI: pyspark, pyarrow): with_spark.py CORPUS OUT [--engines ...] [-- OPTIONS OF SWEEP]

A task whose worker dies is tried again, and batches that are there already are not run again."""

import os
import pathlib
import sys

import corpus
from pyspark.sql import SparkSession


def main():
    options = corpus.arguments(__doc__)
    # On this machine: a task for each processor, and four more attempts of one that fails.
    master = options.master or "local[*,5]"
    if options.master is None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master(master).config("spark.ui.enabled", "false").getOrCreate()
    # Workers on other machines get the module along.
    spark.sparkContext.addPyFile(str(pathlib.Path(corpus.__file__)))
    batches = corpus.batches(options)
    tasks = spark.sparkContext.parallelize(batches, max(1, len(batches)))
    done = tasks.map(lambda batch: corpus.sweep(options, *batch)).collect()
    print(f"{len(done)} of {len(batches)} batches", flush=True)
    spark.stop()
    corpus.merge(options)


if __name__ == "__main__":
    main()
