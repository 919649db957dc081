;; RUN: record % -o TMP/t.fpt --invoke f
;; EXIT: 2
;; KNOWN-BUG: the name comes out as i32.atomic.rmw_add
;; The name is the one of the text format: with a dot before the operation.
(module
  (memory 1)
  (func (export "f")
    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))
