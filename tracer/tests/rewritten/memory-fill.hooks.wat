;; site 8 (0x8): memory.fill of function 0 at 0x25
;; segment 16 (0x10): sites 8 to 8
(module
  (type (;0;) (func (param i32 i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32) (param $n i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 171
    local.get $n
    local.set 4
    local.set 3
    local.tee 2
    local.get 3
    local.get 4
    memory.fill
    i32.const 8
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    call 0
  )
)
