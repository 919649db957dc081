;; site 8 (0x8): i32.store of function 0 at 0x21
;; site 9 (0x9): i32.store of function 0 at 0x28
;; site 10 (0xa): i32.store of function 0 at 0x33
;; site 11 (0xb): i32.store of function 0 at 0x3d
;; site 12 (0xc): i32.store of function 0 at 0x4e
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
;; segment 19 (0x13): sites 11 to 11
;; segment 20 (0x14): sites 12 to 12
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 0)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 1
    i32.const 0
    i32.load 1
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
    local.get $p
    i32.const 2
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 17
    i32.store 1 offset=16 align=1
    local.set 3
    local.tee 2
    local.get 3
    i32.store offset=4
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
    local.get $p
    if ;; label = @1
      local.get $p
      i32.const 3
      i32.const 0
      i32.load 1
      local.set 1
      local.get 1
      i32.const 18
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store offset=8
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
    end
    loop ;; label = @1
      local.get $p
      i32.const 4
      i32.const 0
      i32.load 1
      local.set 1
      local.get 1
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 1
        call 2
        local.set 1
      end
      local.get 1
      i32.const 19
      i32.store 1 offset=16 align=1
      local.set 3
      local.tee 2
      local.get 3
      i32.store offset=12
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
      local.get $p
      i32.const 1
      i32.sub
      local.tee $p
      br_if 0 (;@1;)
    end
    local.get $p
    i32.const 5
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 20
    i32.store 1 offset=16 align=1
    local.set 3
    local.tee 2
    local.get 3
    i32.store offset=16
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
    return
    local.get $p
    i32.const 6
    i32.store offset=20
  )
  (func (;2;) (type 1) (param i32) (result i32)
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
