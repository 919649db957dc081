;; WAYS: inline hooks
;; Only the bytes of the lane are recorded: the same instruction writes them into the record.

(module
  (memory 1)
  (func (param $p i32) (param $v v128)
    (v128.store8_lane 3 (local.get $p) (local.get $v))
    (v128.store16_lane 2 (local.get $p) (local.get $v))
    (v128.store32_lane 1 (local.get $p) (local.get $v))
    (v128.store64_lane 0 (local.get $p) (local.get $v))))
