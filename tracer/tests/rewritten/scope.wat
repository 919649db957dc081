;; WAYS: inline+function=1 inline+bytes=64..68 hooks+bytes=64..68
;; Of function 1 only, the other one's code stays as it is. Of some bytes only: a store outside of them leaves no record, which
;; costs a comparison of its address.

(module
  (memory 1)
  (func $first (param $p i32) (i32.store (local.get $p) (i32.const 1)))
  (func $second (param $p i32)
    (i32.store offset=4 (local.get $p) (i32.const 2))
    (memory.fill (local.get $p) (i32.const 0) (i32.const 8))))
