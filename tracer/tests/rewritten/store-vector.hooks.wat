;; site 8 (0x8): v128.store of function 0 at 0x22
;; segment 16 (0x10): sites 8 to 8
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
    v128.store
    i32.const 8
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64x2.extract_lane 0
    local.get 3
    i64x2.extract_lane 1
    call 0
  )
)
