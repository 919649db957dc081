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
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1 1 shared)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32) (param $i32 i32) (param $i64 i64)
    (local i32 i32 i32 i64)
    local.get $p
    local.get $i32
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 2
      local.set 3
    end
    local.get 3
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.store
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
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.store8
    local.get 3
    local.get 4
    i32.store 1 offset=28 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=32
    i32.const 0
    local.get 3
    i32.const 17
    i32.add
    i32.store 1
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.store16
    local.get 3
    local.get 4
    i32.store 1 offset=33 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=37 align=1
    i32.const 0
    local.get 3
    i32.const 23
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.atomic.store
    local.get 3
    local.get 4
    i32.store 1 offset=39 align=1
    local.get 3
    local.get 6
    i64.store 1 offset=43 align=1
    i32.const 0
    local.get 3
    i32.const 35
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.atomic.store8
    local.get 3
    local.get 4
    i32.store 1 offset=51 align=1
    local.get 3
    local.get 6
    i64.store8 1 offset=55
    i32.const 0
    local.get 3
    i32.const 40
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.atomic.store16
    local.get 3
    local.get 4
    i32.store 1 offset=56 align=1
    local.get 3
    local.get 6
    i64.store16 1 offset=60 align=1
    i32.const 0
    local.get 3
    i32.const 46
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.atomic.store32
    local.get 3
    local.get 4
    i32.store 1 offset=62 align=1
    local.get 3
    local.get 6
    i64.store32 1 offset=66 align=1
    i32.const 0
    local.get 3
    i32.const 54
    i32.add
    i32.store 1
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
  (func (;2;) (type 2) (param i32) (result i32)
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
