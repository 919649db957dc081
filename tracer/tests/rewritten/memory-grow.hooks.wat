;; site 8 (0x8): memory.grow of function 0 at 0x20
;; segment 16 (0x10): sites 8 to 8
(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $pages i32) (result i32)
    (local i32 i32)
    local.get $pages
    local.tee 1
    memory.grow
    local.tee 2
    i32.const 8
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    i64.const 0
    call 0
  )
)
