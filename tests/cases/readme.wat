;; RUN: record % -o TMP/t.fpt --invoke 'add 2 3' --quiet && dump TMP/t.fpt
;; EXIT: 0
;;
;; How a case works. Every tests/cases/NAME.wat is one test of the real command line (tests/filetests.rs):
;;
;; - `;; RUN:` holds the arguments of forkpoint. `%` is this file, `TMP` a folder of the test's own, 'quotes'
;;   keep words together, and `&&` runs a second command when the first one ended with 0. Several RUN lines are
;;   joined by `&&`.
;; - `;; EXIT:` is the exit code of the last command that ran (0 where the line is missing).
;; - NAME.wat.stdout is what all commands together print. NAME.wat.stderr is the same for standard error; it is
;;   compared when EXIT is 2, or where the file exists.
;; - `;; KNOWN-BUG: why` marks a case as ignored: its expected output is the right one, not today's.
;; - Before comparing, the temporary folder becomes TMP, the folder of the cases CASES, seconds and sizes
;;   `_`, and the lines that name an engine's version and the host's CPU features are dropped.
;; - BLESS=1 cargo test --test filetests writes the expected files anew. Read the diff before you commit it.
;;
;; This file is such a test: a store, and what the trace holds of it.
(module
  (memory 1)
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.add (local.get 0) (local.get 1)))
    (i32.load (i32.const 16))))
