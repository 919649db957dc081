;; WAYS: inline hooks
;; Atomic stores are recorded as others are, by plain stores into the buffer, which no other thread sees. A fence, a wait and a
;; notify change no memory: nothing is recorded of them.

(module
  (memory 1 1 shared)
  (func (param $p i32) (param $i32 i32) (param $i64 i64)
    (i32.atomic.store (local.get $p) (local.get $i32))
    (i32.atomic.store8 (local.get $p) (local.get $i32))
    (i32.atomic.store16 (local.get $p) (local.get $i32))
    (i64.atomic.store (local.get $p) (local.get $i64))
    (i64.atomic.store8 (local.get $p) (local.get $i64))
    (i64.atomic.store16 (local.get $p) (local.get $i64))
    (i64.atomic.store32 (local.get $p) (local.get $i64))
    (atomic.fence)
    (drop (memory.atomic.wait32 (local.get $p) (local.get $i32) (i64.const 0)))
    (drop (memory.atomic.notify (local.get $p) (i32.const 1)))))
