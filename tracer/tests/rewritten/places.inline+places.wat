;; site 8 (0x8): i32.store of function 1 at 0x31
;; segment 16 (0x10): sites 8 to 8
;; mark 1: Place in function 0
;; mark 2: Place in function 1
;; mark 3: Place in function 1 at 0x2b
;; mark 4: Place in function 1 at 0x31
;; mark 5: Place in function 1 at 0x34
;; mark 6: Place in function 1 at 0x38
;; mark 7: Place in function 1 at 0x3d
;; mark 8: Place in function 1 at 0x47
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (param i32)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;0;) (type 2)))
  (table (;0;) 1 funcref)
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (export "forkpoint:buffer" (memory 1))
  (func $callee (;1;) (type 0)
    i32.const 0
    i32.const 1
    i32.store 1 offset=8
  )
  (func (;2;) (type 1) (param $p i32) (result i32)
    (local i32 i32 i32)
    i32.const 0
    i32.const 2
    i32.store 1 offset=8
    i32.const 0
    i32.const 3
    i32.store 1 offset=8
    loop ;; label = @1
      local.get $p
      i32.const 1
      i32.const 0
      i32.const 4
      i32.store 1 offset=8
      i32.const 0
      i32.load 1
      local.set 1
      local.get 1
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 1
        call $forkpoint:make-room
        local.set 1
      end
      local.get 1
      i32.const 16
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store
      local.get 1
      local.get 2
      i32.store 1 offset=20 align=1
      local.get 1
      local.get 3
      i32.store 1 offset=24 align=1
      i32.const 0
      local.get 1
      i32.const 12
      i32.add
      i32.store 1
      i32.const 0
      i32.const 5
      i32.store 1 offset=8
      call $callee
      i32.const 0
      i32.const 5
      i32.store 1 offset=8
      i32.const 0
      i32.const 0
      i32.const 6
      i32.store 1 offset=8
      call_indirect (type 0)
      i32.const 0
      i32.const 6
      i32.store 1 offset=8
      local.get $p
      i32.const 0
      i32.const 7
      i32.store 1 offset=8
      i32.load
      br_if 0 (;@1;)
    end
    local.get $p
    i32.const 3
    i32.const 0
    i32.const 8
    i32.store 1 offset=8
    i32.div_u
  )
  (func $forkpoint:make-room (;3;) (type 1) (param i32) (result i32)
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
