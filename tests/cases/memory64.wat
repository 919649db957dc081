;; RUN: record % -o TMP/t.fpt --invoke 'f 0x100' && dump TMP/t.fpt
;; A memory with 64-bit addresses: addresses, lengths and the result of grow are i64.
(module
  (memory i64 1 2)
  (data (i64.const 32) "wide")
  (func $f (export "f") (param $at i64) (result i64 i64)
    (i32.store offset=4 (local.get $at) (i32.const 1))
    (memory.fill (i64.const 512) (i32.const 9) (i64.const 16))
    (memory.copy (i64.const 600) (i64.const 32) (i64.const 4))
    (memory.grow (i64.const 1))
    (memory.grow (i64.const 0x1000000000000))
    ;; Far outside: a trap with the stores before it kept.
    (i32.store (i64.const 0xffffffff00000000) (i32.const 2))))
