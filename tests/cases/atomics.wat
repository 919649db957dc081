;; RUN: record % -o TMP/t.fpt --invoke f
;; EXIT: 2
;; Atomic writes are refused with the name of the instruction, never recorded wrongly.
(module
  (memory 1 1 shared)
  (func (export "f")
    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))
