;; site 8 (0x8): i32.store8 of function 2 at 0x78
;; site 9 (0x9): i32.store of function 3 at 0x97
;; site 10 (0xa): i32.store of function 3 at 0xa0
;; site 11 (0xb): i64.store of function 4 at 0xb5
;; site 12 (0xc): i64.store of function 4 at 0xc3
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
;; segment 19 (0x13): sites 11 to 11
;; segment 20 (0x14): sites 12 to 12
;; mark 1: Place in function 4 at 0xaf
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (param i32) (result i32 i64)))
  (type (;3;) (func (result i32 i64)))
  (import "env" "log" (func $log (;0;) (type 0)))
  (import "forkpoint" "flush" (func $forkpoint:flush (;1;) (type 0)))
  (table (;0;) 1 1 funcref)
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "loop" (func $loop))
  (export "pair" (func $pair))
  (export "calls" (func $calls))
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (export "forkpoint:buffer" (memory 1))
  (elem (;0;) (table 0) (i32.const 0) func $pair)
  (func $nothing (;2;) (type 1) (param i32) (result i32)
    local.get 0
    i32.const 1
    i32.add
  )
  (func $loop (;3;) (type 0) (param $to i32)
    (local $at i32) (local i32 i32 i32)
    loop ;; label = @1
      local.get $at
      i32.const 1
      i32.const 0
      i32.load 1
      local.set 2
      local.get 2
      i32.const 1048560
      i32.gt_u
      if ;; label = @2
        local.get 2
        call $forkpoint:make-room
        local.set 2
      end
      local.get 2
      i32.const 16
      i32.store 1 offset=16 align=1
      local.set 4
      local.tee 3
      local.get 4
      i32.store8
      local.get 2
      local.get 3
      i32.store 1 offset=20 align=1
      local.get 2
      local.get 4
      i32.store8 1 offset=24
      i32.const 0
      local.get 2
      i32.const 9
      i32.add
      i32.store 1
      local.get $at
      i32.const 1
      i32.add
      local.tee $at
      local.get $to
      i32.lt_u
      br_if 0 (;@1;)
    end
  )
  (func $pair (;4;) (type 2) (param i32) (result i32 i64)
    (local i32 i32 i32)
    i32.const 1
    i64.const 2
    local.get 0
    br_if 0
    i32.const 0
    local.get 0
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 1
      call $forkpoint:make-room
      local.set 1
    end
    local.get 1
    i32.const 17
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
    local.get 0
    call $nothing
    i32.const 0
    i32.load 1
    local.set 1
    local.get 1
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 1
      call $forkpoint:make-room
      local.set 1
    end
    local.get 1
    i32.const 18
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
    drop
    drop
    i32.const 3
    i64.const 4
    return
  )
  (func $calls (;5;) (type 3) (result i32 i64)
    (local i32 i32 i64)
    i32.const 7
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
    i32.const 3
    i32.store 1 offset=16 align=1
    local.get 0
    i32.const 1
    i32.store 1 offset=20 align=1
    i32.const 0
    local.get 0
    i32.const 8
    i32.add
    i32.store 1
    call $log
    i32.const 8
    i64.const 9
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
    i32.const 19
    i32.store 1 offset=16 align=1
    local.set 2
    local.tee 1
    local.get 2
    i64.store
    local.get 0
    local.get 1
    i32.store 1 offset=20 align=1
    local.get 0
    local.get 2
    i64.store 1 offset=24 align=1
    i32.const 0
    local.get 0
    i32.const 16
    i32.add
    i32.store 1
    i32.const 1
    i32.const 0
    call_indirect (type 2)
    i32.const 16
    i64.const 10
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
    i32.const 20
    i32.store 1 offset=16 align=1
    local.set 2
    local.tee 1
    local.get 2
    i64.store
    local.get 0
    local.get 1
    i32.store 1 offset=20 align=1
    local.get 0
    local.get 2
    i64.store 1 offset=24 align=1
    i32.const 0
    local.get 0
    i32.const 16
    i32.add
    i32.store 1
    drop
    drop
    i32.const 2
    return_call $pair
  )
  (func $forkpoint:make-room (;6;) (type 1) (param i32) (result i32)
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
