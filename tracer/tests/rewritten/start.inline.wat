;; site 8 (0x8): i32.store of function 0 at 0x36
;; segment 16 (0x10): sites 8 to 8
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;0;) (type 1)))
  (table (;0;) 1 funcref)
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (global $i (;0;) (mut i32) i32.const 0)
  (global $constant (;1;) i32 i32.const 0)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (export "forkpoint:global.0" (global $i))
  (export "forkpoint:start" (func $main))
  (export "forkpoint:buffer" (memory 1))
  (func $main (;1;) (type 0)
    (local i32 i32 i32)
    i32.const 0
    i32.const 1
    i32.const 0
    i32.load 1
    local.set 0
    local.get 0
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 0
      call $forkpoint:make-room
      local.set 0
    end
    local.get 0
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 2
    local.tee 1
    local.get 2
    i32.store
    local.get 0
    local.get 1
    i32.store 1 offset=20 align=1
    local.get 0
    local.get 2
    i32.store 1 offset=24 align=1
    i32.const 0
    local.get 0
    i32.const 12
    i32.add
    i32.store 1
  )
  (func $forkpoint:make-room (;2;) (type 2) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call $forkpoint:flush
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
)
