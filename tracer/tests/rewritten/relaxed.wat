;; WAYS: inline+fixed-relaxed
;; Each instruction of relaxed SIMD is replaced by code with one of the results that the specification allows.

(module
  (memory 1)
  (func (param $a v128) (param $b v128) (param $c v128)
    (v128.store (i32.const 0) (f32x4.relaxed_madd (local.get $a) (local.get $b) (local.get $c)))
    (v128.store (i32.const 16) (i8x16.relaxed_swizzle (local.get $a) (local.get $b)))
    (v128.store (i32.const 32) (i32x4.relaxed_trunc_f32x4_s (local.get $a)))
    (v128.store (i32.const 48) (i8x16.relaxed_laneselect (local.get $a) (local.get $b) (local.get $c)))))
