;; site 8 (0x8): v128.store of function 0 at 0x22
;; segment 16 (0x10): sites 8 to 8
(module
  (type (;0;) (func (param i32 v128)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32) (param $v v128)
    (local i32 i32 v128 v128)
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
    v128.store
    local.get 2
    local.get 3
    i32.store 1 offset=20 align=1
    local.get 2
    local.get 4
    v128.store 1 offset=24 align=1
    i32.const 0
    local.get 2
    i32.const 24
    i32.add
    i32.store 1
    local.get 3
    v128.load align=1
    local.tee 5
    local.get 4
    v128.xor
    v128.any_true
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 2
      local.get 2
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 2
      local.get 5
      v128.store 1 offset=20 align=1
      i32.const 0
      local.get 2
      i32.const 20
      i32.add
      i32.store 1
    end
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
