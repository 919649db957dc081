;; RUN: record % -o TMP/t.fpt --invoke f
;; EXIT: 2
;; Atomic writes are refused with the name of the instruction, never recorded wrongly.
(module
  (memory 1)
  (func (export "f")
    (i32.atomic.store (i32.const 0) (i32.const 1))))
