;; RUN: record % -o TMP/a.fpt --invoke 'f 3' --quiet && record % -o TMP/b.fpt --invoke 'f 3' --quiet --hooks && diff TMP/a.fpt TMP/b.fpt
;; Recorded inline or by one host call per event: the events are the same.
(module
  (memory 1 2)
  (data $d "abc")
  (func $f (export "f") (param i32)
    (loop $l
      (i32.store8 offset=3 (local.get 0) (local.get 0))
      (f64.store (i32.const 64) (f64.convert_i32_u (local.get 0)))
      (memory.fill (i32.const 128) (local.get 0) (local.get 0))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (memory.init $d (i32.const 200) (i32.const 1) (i32.const 2))
    (data.drop $d)
    (drop (memory.grow (i32.const 9)))))
