;; RUN: record % -o TMP/t.fpt --invoke 'put 1' --invoke 'oops' --invoke 'put 0xff' --invoke 'put -1' && dump TMP/t.fpt
;; Several calls share one instance. A trap ends its call only: the next call finds what was stored before.
(module
  (memory 1)
  (func $put (export "put") (param $value i32) (result i32)
    (i32.load (i32.const 0))
    (i32.store (i32.const 0) (local.get $value)))
  (func $oops (export "oops")
    (i32.store (i32.const 0) (i32.const 77))
    unreachable))
