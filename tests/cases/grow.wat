;; RUN: record % -o TMP/t.fpt --invoke f && dump TMP/t.fpt
;; memory.grow is an event whether it succeeds or is refused; the new pages can be written; -1 comes back
;; where the maximum is passed.
(module
  (memory 1 3)
  (func $f (export "f") (result i32 i32 i32)
    (memory.grow (i32.const 1))
    (i32.store (i32.const 131068) (i32.const 7))
    (memory.grow (i32.const 0))
    (memory.grow (i32.const 2))))
