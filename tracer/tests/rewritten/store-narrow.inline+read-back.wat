;; site 8 (0x8): i32.store8 of function 0 at 0x23
;; site 9 (0x9): i32.store16 of function 0 at 0x2a
;; site 10 (0xa): i64.store8 of function 0 at 0x31
;; site 11 (0xb): i64.store16 of function 0 at 0x38
;; site 12 (0xc): i64.store32 of function 0 at 0x3f
;; site 13 (0xd): i64.store of function 0 at 0x46
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
;; segment 19 (0x13): sites 11 to 11
;; segment 20 (0x14): sites 12 to 12
;; segment 21 (0x15): sites 13 to 13
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
    (local i32 i32 i32 i32 i64 i64)
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
    local.get 4
    i32.load8_u
    local.tee 6
    local.get 5
    i32.const 255
    i32.and
    i32.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 6
      i64.extend_i32_u
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $i32
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 17
    i32.store 1 offset=16 align=1
    local.set 5
    local.tee 4
    local.get 5
    i32.store16
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 10
    i32.add
    i32.store 1
    local.get 4
    i32.load16_u align=1
    local.tee 6
    local.get 5
    i32.const 65535
    i32.and
    i32.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 6
      i64.extend_i32_u
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $i64
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 18
    i32.store 1 offset=16 align=1
    local.set 7
    local.tee 4
    local.get 7
    i64.store8
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=24
    i32.const 0
    local.get 3
    i32.const 9
    i32.add
    i32.store 1
    local.get 4
    i64.load8_u
    local.tee 8
    local.get 7
    i64.const 255
    i64.and
    i64.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 8
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $i64
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 19
    i32.store 1 offset=16 align=1
    local.set 7
    local.tee 4
    local.get 7
    i64.store16
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 10
    i32.add
    i32.store 1
    local.get 4
    i64.load16_u align=1
    local.tee 8
    local.get 7
    i64.const 65535
    i64.and
    i64.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 8
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $i64
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 20
    i32.store 1 offset=16 align=1
    local.set 7
    local.tee 4
    local.get 7
    i64.store32
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 12
    i32.add
    i32.store 1
    local.get 4
    i64.load32_u align=1
    local.tee 8
    local.get 7
    i64.const 4294967295
    i64.and
    i64.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 8
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $i64
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 21
    i32.store 1 offset=16 align=1
    local.set 7
    local.tee 4
    local.get 7
    i64.store
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 16
    i32.add
    i32.store 1
    local.get 4
    i64.load align=1
    local.tee 8
    local.get 7
    i64.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 8
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
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
