;; WAYS: inline+calls hooks+calls
;; A note for each argument and each result: the body becomes a block, so that a return and a branch to its end come past the
;; same code. Of a reference only whether it is null is noted.

(module
  (memory 1)
  (func (param $i i32) (param $f f64) (param $v v128) (param $r funcref) (result i64 f32)
    (if (local.get $i) (then (return (i64.const 1) (f32.const 2))))
    (i64.const 3)
    (f32.const 4)))
