;; site 8 (0x8): i32.store of function 0 at 0x22
;; site 9 (0x9): i32.store of function 1 at 0x2c
;; site 10 (0xa): memory.fill of function 1 at 0x35
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;0;) (type 0)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func $first (;1;) (type 0) (param $p i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 1
    local.set 2
    local.tee 1
    local.get 2
    i32.store
    local.get 1
    i64.extend_i32_u
    i64.const -61
    i64.add
    i64.const 7
    i64.lt_u
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 3
        call $forkpoint:make-room
        local.set 3
      end
      local.get 3
      i32.const 16
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 1
      i32.store 1 offset=20 align=1
      local.get 3
      local.get 2
      i32.store 1 offset=24 align=1
      i32.const 0
      local.get 3
      i32.const 12
      i32.add
      i32.store 1
    end
  )
  (func $second (;2;) (type 0) (param $p i32)
    (local i32 i32 i32 i32)
    local.get $p
    i32.const 2
    local.set 2
    local.tee 1
    local.get 2
    i32.store offset=4
    local.get 1
    i64.extend_i32_u
    i64.const -57
    i64.add
    i64.const 7
    i64.lt_u
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 3
        call $forkpoint:make-room
        local.set 3
      end
      local.get 3
      i32.const 17
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 1
      i32.store 1 offset=20 align=1
      local.get 3
      local.get 2
      i32.store 1 offset=24 align=1
      i32.const 0
      local.get 3
      i32.const 12
      i32.add
      i32.store 1
    end
    local.get $p
    i32.const 0
    i32.const 8
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call $forkpoint:make-room
      local.set 3
    end
    local.get 3
    i32.const 18
    i32.store 1 offset=16 align=1
    local.set 4
    local.set 2
    local.tee 1
    local.get 2
    local.get 4
    memory.fill
    local.get 3
    local.get 1
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 2
    i32.store8 1 offset=24
    local.get 3
    local.get 4
    i32.store 1 offset=25 align=1
    i32.const 0
    local.get 3
    i32.const 13
    i32.add
    i32.store 1
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
