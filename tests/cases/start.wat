;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt
;; The start function runs, and is recorded, before the first call.
(module
  (memory 1)
  (data (i32.const 0) "\05")
  (func $init
    (i32.store (i32.const 4) (i32.mul (i32.load (i32.const 0)) (i32.const 2))))
  (start $init)
  (func $f (export "f")
    (i32.store (i32.const 8) (i32.load (i32.const 4)))))
