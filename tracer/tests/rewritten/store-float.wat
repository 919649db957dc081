;; WAYS: inline inline+read-back hooks
;; Floats are recorded by their bits: a store of a float into the record keeps a NaN's payload, and so does the
;; reinterpretation for the hook, which takes integers only. The value read back is compared as integers, so that a NaN equals
;; itself.

(module
  (memory 1)
  (func (param $p i32) (param $f f32) (param $d f64)
    (f32.store (local.get $p) (local.get $f))
    (f64.store (local.get $p) (local.get $d))))
