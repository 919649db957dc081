;; site 8 (0x8): i32.store of function 0 at 0x3e
;; site 9 (0x9): i32.store of function 0 at 0x45
;; segment 16 (0x10): sites 8 to 9
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (import "env" "shared" (memory $imported (;0;) 1))
  (import "forkpoint" "flush" (func (;0;) (type 0)))
  (memory $own (;1;) 1)
  (memory (;2;) 17 17)
  (export "memory" (memory $own))
  (export "forkpoint:memory.0" (memory $imported))
  (export "forkpoint:memory.1" (memory $own))
  (export "forkpoint:buffer" (memory 2))
  (func (;1;) (type 0) (param $p i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 1
    i32.const 0
    i32.load 2
    local.set 1
    local.get 1
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 1
      call 2
      local.set 1
    end
    local.get 1
    i32.const 16
    i32.store 2 offset=16 align=1
    local.set 3
    local.tee 2
    local.get 3
    i32.store
    local.get 1
    local.get 2
    i32.store 2 offset=20 align=1
    local.get 1
    local.get 3
    i32.store 2 offset=24 align=1
    i32.const 0
    local.get 1
    i32.const 12
    i32.add
    i32.store 2
    local.get $p
    i32.const 2
    local.set 3
    local.tee 2
    local.get 3
    i32.store $own
    local.get 1
    local.get 2
    i32.store 2 offset=28 align=1
    local.get 1
    local.get 3
    i32.store 2 offset=32 align=1
    i32.const 0
    local.get 1
    i32.const 20
    i32.add
    i32.store 2
  )
  (func (;2;) (type 1) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 2
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 2 offset=12
    local.tee 0
    i32.store 2
    local.get 0
  )
)
