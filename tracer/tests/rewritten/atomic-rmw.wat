;; WAYS: inline hooks
;; The record has what memory holds afterwards: the code loads it again, since the instruction itself returns the old value,
;; which the module still gets. So a compare-exchange that finds another value than it expects leaves a record with the old
;; bytes.

(module
  (memory 1 1 shared)
  (func (param $p i32) (param $v i32) (param $expected i32) (result i32 i32)
    (i32.atomic.rmw.add (local.get $p) (local.get $v))
    (i32.atomic.rmw.cmpxchg offset=4 (local.get $p) (local.get $expected) (local.get $v)))
  (func (param $p i32) (param $v i64) (result i64)
    (i64.atomic.rmw8.xchg_u (local.get $p) (local.get $v))))
