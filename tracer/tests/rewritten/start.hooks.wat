;; site 8 (0x8): i32.store of function 0 at 0x36
;; segment 16 (0x10): sites 8 to 8
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func $forkpoint:event (;0;) (type 1)))
  (table (;0;) 1 funcref)
  (memory (;0;) 1)
  (global $i (;0;) (mut i32) i32.const 0)
  (global $constant (;1;) i32 i32.const 0)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (export "forkpoint:global.0" (global $i))
  (export "forkpoint:start" (func $main))
  (func $main (;1;) (type 0)
    (local i32 i32)
    i32.const 0
    i32.const 1
    local.set 1
    local.tee 0
    local.get 1
    i32.store
    i32.const 8
    local.get 0
    i64.extend_i32_u
    local.get 1
    i64.extend_i32_u
    i64.const 0
    call $forkpoint:event
  )
)
