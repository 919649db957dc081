;; RUN: record % -o TMP/t.fpt --invoke f
;; EXIT: 2
;; A shared memory is refused, whatever the module does with it.
(module
  (memory 1 1 shared)
  (func (export "f")))
