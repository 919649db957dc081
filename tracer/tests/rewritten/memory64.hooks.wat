;; site 8 (0x8): i32.store of function 0 at 0x23
;; site 9 (0x9): memory.grow of function 0 at 0x2c
;; segment 16 (0x10): sites 8 to 9
(module
  (type (;0;) (func (param i64 i32) (result i64)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) i64 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i64) (param $v i32) (result i64)
    (local i64 i32 i64)
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    i32.store offset=4294967296
    i32.const 8
    local.get 2
    local.get 3
    i64.extend_i32_u
    i64.const 0
    call 0
    i64.const 1
    local.tee 2
    memory.grow
    local.tee 4
    i32.const 9
    local.get 2
    local.get 4
    i64.const 0
    call 0
  )
)
