;; site 8 (0x8): i32.store of function 0 at 0x3e
;; site 9 (0x9): i32.store of function 0 at 0x45
;; segment 16 (0x10): sites 8 to 9
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "env" "shared" (memory $imported (;0;) 1))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory $own (;1;) 1)
  (export "memory" (memory $own))
  (export "forkpoint:memory.0" (memory $imported))
  (export "forkpoint:memory.1" (memory $own))
  (func (;1;) (type 0) (param $p i32)
    (local i32 i32)
    local.get $p
    i32.const 1
    local.set 2
    local.tee 1
    local.get 2
    i32.store
    i32.const 8
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    i32.const 2
    local.set 2
    local.tee 1
    local.get 2
    i32.store $own
    i32.const 9
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    i64.const 0
    call 0
  )
)
