;; site 8 (0x8): f32.store of function 0 at 0x23
;; site 9 (0x9): f64.store of function 0 at 0x2a
;; segment 16 (0x10): sites 8 to 9
(module
  (type (;0;) (func (param i32 f32 f64)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32) (param $f f32) (param $d f64)
    (local i32 f32 f64)
    local.get $p
    local.get $f
    local.set 4
    local.tee 3
    local.get 4
    f32.store
    i32.const 8
    local.get 3
    i64.extend_i32_u
    local.get 4
    i32.reinterpret_f32
    i64.extend_i32_u
    i64.const 0
    call 0
    local.get $p
    local.get $d
    local.set 5
    local.tee 3
    local.get 5
    f64.store
    i32.const 9
    local.get 3
    i64.extend_i32_u
    local.get 5
    i64.reinterpret_f64
    i64.const 0
    call 0
  )
)
