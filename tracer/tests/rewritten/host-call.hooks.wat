;; site 8 (0x8): i32.store of function 1 at 0x30
;; site 9 (0x9): i32.store of function 1 at 0x3b
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; mark 1: Place in function 1 at 0x35
(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "env" "host" (func $host (;0;) (type 0)))
  (import "forkpoint" "event" (func $forkpoint:event (;1;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;2;) (type 0) (param $p i32) (result i32)
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
    call $forkpoint:event
    local.get $p
    i32.const 5
    i64.const 1
    i64.const 0
    i64.const 0
    call $forkpoint:event
    call $host
    local.get $p
    i32.const 2
    local.set 2
    local.tee 1
    local.get 2
    i32.store
    i32.const 9
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    i64.const 0
    call $forkpoint:event
  )
)
