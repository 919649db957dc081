;; site 8 (0x8): i32.atomic.rmw.add of function 0 at 0x2d
;; site 9 (0x9): i32.atomic.rmw.cmpxchg of function 0 at 0x37
;; site 10 (0xa): i64.atomic.rmw8.xchg_u of function 1 at 0x42
;; segment 16 (0x10): sites 8 to 9
;; segment 17 (0x11): sites 10 to 10
(module
  (type (;0;) (func (param i32 i32 i32) (result i32 i32)))
  (type (;1;) (func (param i32 i64) (result i64)))
  (type (;2;) (func (param i32)))
  (type (;3;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 2)))
  (memory (;0;) 1 1 shared)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32) (param $v i32) (param $expected i32) (result i32 i32)
    (local i32 i32 i32 i32)
    local.get $p
    local.get $v
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 3
      local.set 3
    end
    local.get 3
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.add
    local.get 4
    i32.load align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 12
    i32.add
    i32.store 1
    local.get $p
    local.get $expected
    local.get $v
    local.set 6
    local.set 5
    local.tee 4
    local.get 5
    local.get 6
    i32.atomic.rmw.cmpxchg offset=4
    local.get 4
    i32.load offset=4 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=28 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=32 align=1
    i32.const 0
    local.get 3
    i32.const 20
    i32.add
    i32.store 1
  )
  (func (;2;) (type 1) (param $p i32) (param $v i64) (result i64)
    (local i32 i32 i64)
    local.get $p
    local.get $v
    i32.const 0
    i32.load 1
    local.set 2
    local.get 2
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 2
      call 3
      local.set 2
    end
    local.get 2
    i32.const 17
    i32.store 1 offset=16 align=1
    local.set 4
    local.tee 3
    local.get 4
    i64.atomic.rmw8.xchg_u
    local.get 3
    i64.load8_u
    local.set 4
    local.get 2
    local.get 3
    i32.store 1 offset=20 align=1
    local.get 2
    local.get 4
    i64.store8 1 offset=24
    i32.const 0
    local.get 2
    i32.const 9
    i32.add
    i32.store 1
  )
  (func (;3;) (type 3) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
)
