;; site 8 (0x8): v128.store8_lane of function 0 at 0x22
;; site 9 (0x9): v128.store16_lane of function 0 at 0x2b
;; site 10 (0xa): v128.store32_lane of function 0 at 0x34
;; site 11 (0xb): v128.store64_lane of function 0 at 0x3d
;; segment 16 (0x10): sites 8 to 11
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
    (local i32 i32 v128)
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
    v128.store8_lane 3
    local.get 2
    local.get 3
    i32.store 1 offset=20 align=1
    local.get 2
    local.get 4
    i8x16.extract_lane_u 3
    i32.store8 1 offset=24
    i32.const 0
    local.get 2
    i32.const 9
    i32.add
    i32.store 1
    local.get $p
    local.get $v
    local.set 4
    local.tee 3
    local.get 4
    v128.store16_lane 2
    local.get 2
    local.get 3
    i32.store 1 offset=25 align=1
    local.get 2
    local.get 4
    i16x8.extract_lane_u 2
    i32.store16 1 offset=29 align=1
    i32.const 0
    local.get 2
    i32.const 15
    i32.add
    i32.store 1
    local.get $p
    local.get $v
    local.set 4
    local.tee 3
    local.get 4
    v128.store32_lane 1
    local.get 2
    local.get 3
    i32.store 1 offset=31 align=1
    local.get 2
    local.get 4
    i32x4.extract_lane 1
    i32.store 1 offset=35 align=1
    i32.const 0
    local.get 2
    i32.const 23
    i32.add
    i32.store 1
    local.get $p
    local.get $v
    local.set 4
    local.tee 3
    local.get 4
    v128.store64_lane 0
    local.get 2
    local.get 3
    i32.store 1 offset=39 align=1
    local.get 2
    local.get 4
    i64x2.extract_lane 0
    i64.store 1 offset=43 align=1
    i32.const 0
    local.get 2
    i32.const 35
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
