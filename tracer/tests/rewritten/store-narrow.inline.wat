;; site 8 (0x8): i32.store8 of function 0 at 0x23
;; site 9 (0x9): i32.store16 of function 0 at 0x2a
;; site 10 (0xa): i64.store8 of function 0 at 0x31
;; site 11 (0xb): i64.store16 of function 0 at 0x38
;; site 12 (0xc): i64.store32 of function 0 at 0x3f
;; site 13 (0xd): i64.store of function 0 at 0x46
;; segment 16 (0x10): sites 8 to 13
(module
  (type (;0;) (func (param i32 i32 i64)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
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
    i32.store8
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=24
    i32.const 0
    local.get 3
    i32.const 9
    i32.add
    i32.store 1
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.store16
    local.get 3
    local.get 4
    i32.store 1 offset=25 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=29 align=1
    i32.const 0
    local.get 3
    i32.const 15
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.store8
    local.get 3
    local.get 4
    i32.store 1 offset=31 align=1
    local.get 3
    local.get 6
    i64.store8 1 offset=35
    i32.const 0
    local.get 3
    i32.const 20
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.store16
    local.get 3
    local.get 4
    i32.store 1 offset=36 align=1
    local.get 3
    local.get 6
    i64.store16 1 offset=40 align=1
    i32.const 0
    local.get 3
    i32.const 26
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.store32
    local.get 3
    local.get 4
    i32.store 1 offset=42 align=1
    local.get 3
    local.get 6
    i64.store32 1 offset=46 align=1
    i32.const 0
    local.get 3
    i32.const 34
    i32.add
    i32.store 1
    local.get $p
    local.get $i64
    local.set 6
    local.tee 4
    local.get 6
    i64.store
    local.get 3
    local.get 4
    i32.store 1 offset=50 align=1
    local.get 3
    local.get 6
    i64.store 1 offset=54 align=1
    i32.const 0
    local.get 3
    i32.const 46
    i32.add
    i32.store 1
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
