;; WAYS: inline hooks
;; Destination, source and length: replay copies the bytes in its own memory. Between memories of different widths the operands
;; have the widths that the instruction gives them.

(module
  (memory $a 1)
  (memory $b i64 1)
  (func (param $p i32) (param $q i32) (param $n i32)
    (memory.copy (local.get $p) (local.get $q) (local.get $n)))
  (func (param $p i64) (param $q i32) (param $n i32)
    (memory.copy $b $a (local.get $p) (local.get $q) (local.get $n))))
