;; WAYS: inline hooks
;; Destination, byte and length: what was filled is not read. The byte is one byte in the record.

(module
  (memory 1)
  (func (param $p i32) (param $n i32)
    (memory.fill (local.get $p) (i32.const 0xab) (local.get $n))))
