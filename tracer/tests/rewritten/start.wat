;; WAYS: inline hooks exposed
;; The start function no longer runs by itself: it is exported, and the recorder calls it when it has looked at memory. Mutable
;; globals of numeric types and tables are exported, too, for the end state. Exposed, that is all that changes.

(module
  (memory 1)
  (table 1 funcref)
  (global $i (mut i32) (i32.const 0))
  (global $constant i32 (i32.const 0))
  (start $main)
  (func $main (i32.store (i32.const 0) (i32.const 1))))
