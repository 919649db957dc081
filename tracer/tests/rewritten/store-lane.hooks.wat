;; site 8 (0x8): v128.store8_lane of function 0 at 0x22
;; site 9 (0x9): v128.store16_lane of function 0 at 0x2b
;; site 10 (0xa): v128.store32_lane of function 0 at 0x34
;; site 11 (0xb): v128.store64_lane of function 0 at 0x3d
;; segment 16 (0x10): sites 8 to 11
(module
  (type (;0;) (func (param i32 v128)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32) (param $v v128)
    (local i32 v128)
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    v128.store8_lane 3
    i32.const 8
    local.get 2
    i64.extend_i32_u
    local.get 3
    i8x16.extract_lane_u 3
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    v128.store16_lane 2
    i32.const 9
    local.get 2
    i64.extend_i32_u
    local.get 3
    i16x8.extract_lane_u 2
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    v128.store32_lane 1
    i32.const 10
    local.get 2
    i64.extend_i32_u
    local.get 3
    i32x4.extract_lane 1
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $v
    local.set 3
    local.tee 2
    local.get 3
    v128.store64_lane 0
    i32.const 11
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64x2.extract_lane 0
    i64.const 0
    call 0
  )
)
