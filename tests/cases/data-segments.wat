;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt
;; Active segments are events, in order, before anything runs; later ones overwrite earlier ones, which the
;; guest sees. A segment may be empty.
(module
  (memory 1)
  (data (i32.const 8) "first segment")
  (data (i32.const 14) "SECOND")
  (data (i32.const 65536) "")
  (data $passive "not an event")
  (func $f (export "f")
    (i64.store (i32.const 0) (i64.load (i32.const 12)))))
