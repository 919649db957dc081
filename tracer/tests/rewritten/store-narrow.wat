;; WAYS: inline inline+read-back hooks
;; A narrow store records as many bytes as it writes, inline. By hooks the whole operand goes along, and the decoder keeps its
;; low bytes.

(module
  (memory 1)
  (func (param $p i32) (param $i32 i32) (param $i64 i64)
    (i32.store8 (local.get $p) (local.get $i32))
    (i32.store16 (local.get $p) (local.get $i32))
    (i64.store8 (local.get $p) (local.get $i64))
    (i64.store16 (local.get $p) (local.get $i64))
    (i64.store32 (local.get $p) (local.get $i64))
    (i64.store (local.get $p) (local.get $i64))))
