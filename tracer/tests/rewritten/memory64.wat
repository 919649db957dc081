;; WAYS: inline hooks
;; Addresses and page counts of 64 bits have 8 bytes in the record. The buffer stays a memory of 32 bits.

(module
  (memory i64 1)
  (func (param $p i64) (param $v i32) (result i64)
    (i32.store offset=0x100000000 (local.get $p) (local.get $v))
    (memory.grow (i64.const 1))))
