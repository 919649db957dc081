;; site 8 (0x8): i32.store of function 0 at 0x23
;; site 9 (0x9): memory.grow of function 0 at 0x2c
;; segment 16 (0x10): sites 8 to 9
(module
  (type (;0;) (func (param i64 i32) (result i64)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) i64 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i64) (param $v i32) (result i64)
    (local i32 i64 i32 i64)
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
      call 2
      local.set 2
    end
    local.get 2
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 4
    local.tee 3
    local.get 4
    i32.store offset=4294967296
    local.get 2
    local.get 3
    i64.store 1 offset=20 align=1
    local.get 2
    local.get 4
    i32.store 1 offset=28 align=1
    i32.const 0
    local.get 2
    i32.const 16
    i32.add
    i32.store 1
    i64.const 1
    local.tee 3
    memory.grow
    local.tee 5
    local.get 2
    local.get 3
    i64.store 1 offset=32 align=1
    local.get 2
    local.get 5
    i64.store 1 offset=40 align=1
    i32.const 0
    local.get 2
    i32.const 32
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
