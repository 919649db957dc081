;; WAYS: inline+nans inline+canonical-nans hooks+nans
;; After each instruction that can make a NaN, one that is made is noted with its bits, or replaced by the canonical one.
;; Instructions that only move bits, such as `f32.neg` and `f32.copysign`, are left alone.

(module
  (memory 1)
  (func (param $a f32) (param $b f64) (param $v v128)
    (f32.store (i32.const 0) (f32.neg (f32.add (local.get $a) (local.get $a))))
    (f64.store (i32.const 8) (f64.sqrt (local.get $b)))
    (v128.store (i32.const 16) (f32x4.div (local.get $v) (local.get $v)))))
