;; WAYS: inline hooks
;; Before a direct call of an imported function, a record names the instruction that calls: number 3 inline, site 5 by hooks. A
;; call ends the segment, since the host may empty the buffer meanwhile.

(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory 1)
  (func (param $p i32) (result i32)
    (i32.store (local.get $p) (i32.const 1))
    (call $host (local.get $p))
    (i32.store (local.get $p) (i32.const 2))))
