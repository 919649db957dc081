;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt --kind store
;; An atomic write shows what memory holds afterwards, whatever operation led there.
(module
  (memory 1)
  (func $f (export "f")
    (i32.atomic.store (i32.const 0) (i32.const 1))
    (i64.atomic.store8 offset=8 (i32.const 1) (i64.const 0x1ff))
    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 41)))
    (drop (i64.atomic.rmw16.xor_u (i32.const 0) (i64.const 0xffff)))
    (drop (i32.atomic.rmw.xchg (i32.const 4) (i32.const -2)))
    (drop (i32.atomic.rmw8.cmpxchg_u (i32.const 4) (i32.const 0xfe) (i32.const 7)))
    (drop (i32.atomic.rmw8.cmpxchg_u (i32.const 4) (i32.const 0xfe) (i32.const 9)))))
