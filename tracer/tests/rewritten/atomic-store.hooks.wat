;; site 8 (0x8): i32.atomic.store of function 0 at 0x24
;; site 9 (0x9): i32.atomic.store8 of function 0 at 0x2c
;; site 10 (0xa): i32.atomic.store16 of function 0 at 0x34
;; site 11 (0xb): i64.atomic.store of function 0 at 0x3c
;; site 12 (0xc): i64.atomic.store8 of function 0 at 0x44
;; site 13 (0xd): i64.atomic.store16 of function 0 at 0x4c
;; site 14 (0xe): i64.atomic.store32 of function 0 at 0x54
;; segment 16 (0x10): sites 8 to 14
(module
  (type (;0;) (func (param i32 i32 i64)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1 1 shared)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32) (param $i32 i32) (param $i64 i64)
    (local i32 i32 i64)
    local.get $p
    local.get $i32
    local.set 4
    local.tee 3
    local.get 4
    i32.atomic.store
    i32.const 8
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $i32
    local.set 4
    local.tee 3
    local.get 4
    i32.atomic.store8
    i32.const 9
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $i32
    local.set 4
    local.tee 3
    local.get 4
    i32.atomic.store16
    i32.const 10
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $i64
    local.set 5
    local.tee 3
    local.get 5
    i64.atomic.store
    i32.const 11
    local.get 3
    i64.extend_i32_u
    local.get 5
    i64.const 0
    call 0
    local.get $p
    local.get $i64
    local.set 5
    local.tee 3
    local.get 5
    i64.atomic.store8
    i32.const 12
    local.get 3
    i64.extend_i32_u
    local.get 5
    i64.const 0
    call 0
    local.get $p
    local.get $i64
    local.set 5
    local.tee 3
    local.get 5
    i64.atomic.store16
    i32.const 13
    local.get 3
    i64.extend_i32_u
    local.get 5
    i64.const 0
    call 0
    local.get $p
    local.get $i64
    local.set 5
    local.tee 3
    local.get 5
    i64.atomic.store32
    i32.const 14
    local.get 3
    i64.extend_i32_u
    local.get 5
    i64.const 0
    call 0
    atomic.fence
    local.get $p
    local.get $i32
    i64.const 0
    memory.atomic.wait32
    drop
    local.get $p
    i32.const 1
    memory.atomic.notify
    drop
  )
)
