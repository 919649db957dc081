;; site 8 (0x8): i32.atomic.rmw.add of function 0 at 0x2d
;; site 9 (0x9): i32.atomic.rmw.cmpxchg of function 0 at 0x37
;; site 10 (0xa): i64.atomic.rmw8.xchg_u of function 1 at 0x42
;; segment 16 (0x10): sites 8 to 9
;; segment 17 (0x11): sites 10 to 10
(module
  (type (;0;) (func (param i32 i32 i32) (result i32 i32)))
  (type (;1;) (func (param i32 i64) (result i64)))
  (type (;2;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 2)))
  (memory (;0;) 1 1 shared)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32) (param $v i32) (param $expected i32) (result i32 i32)
    (local i32 i32 i32)
    local.get $p
    local.get $v
    local.set 4
    local.tee 3
    local.get 4
    i32.atomic.rmw.add
    local.get 3
    i32.load align=1
    local.set 4
    i32.const 8
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $expected
    local.get $v
    local.set 5
    local.set 4
    local.tee 3
    local.get 4
    local.get 5
    i32.atomic.rmw.cmpxchg offset=4
    local.get 3
    i32.load offset=4 align=1
    local.set 4
    i32.const 9
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    i64.const 0
    call 0
  )
  (func (;2;) (type 1) (param $p i32) (param $v i64) (result i64)
    (local i32 i64)
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    i64.atomic.rmw8.xchg_u
    local.get 2
    i64.load8_u
    local.set 3
    i32.const 10
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64.const 0
    call 0
  )
)
