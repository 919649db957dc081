;; RUN: record % -o TMP/t.fpt --invoke 'add i32x4:1,2,3,4 f32x4:1,0,0,0' --invoke 'floats -inf nan:0x400001' && dump TMP/t.fpt
;; v128 and float arguments go in bit by bit and results come out the same way.
(module
  (memory 1)
  (func $add (export "add") (param v128 v128) (result v128)
    (v128.store (i32.const 0) (i32x4.add (local.get 0) (local.get 1)))
    (v128.load (i32.const 0)))
  (func $floats (export "floats") (param f64 f32) (result f64 f32)
    (f64.store (i32.const 0) (local.get 0))
    (f32.store (i32.const 8) (local.get 1))
    (f64.load (i32.const 0))
    (f32.load (i32.const 8))))
