;; site 8 (0x8): memory.init of function 0 at 0x26
;; site 9 (0x9): data.drop of function 0 at 0x2a
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func (;1;) (type 0) (param $p i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 1
    i32.const 2
    local.set 3
    local.set 2
    local.tee 1
    local.get 2
    local.get 3
    memory.init $d
    i32.const 8
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64.extend_i32_u
    call 0
    data.drop $d
    i32.const 9
    i64.const 0
    i64.const 0
    i64.const 0
    call 0
  )
  (data $d (;0;) "data")
)
