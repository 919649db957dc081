;; site 8 (0x8): memory.copy of function 0 at 0x2e
;; site 9 (0x9): memory.copy of function 1 at 0x3b
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
(module
  (type (;0;) (func (param i32 i32 i32)))
  (type (;1;) (func (param i64 i32 i32)))
  (type (;2;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func (;0;) (type 2)))
  (memory $a (;0;) 1)
  (memory $b (;1;) i64 1)
  (export "forkpoint:memory.0" (memory $a))
  (export "forkpoint:memory.1" (memory $b))
  (func (;1;) (type 0) (param $p i32) (param $q i32) (param $n i32)
    (local i32 i32 i32)
    local.get $p
    local.get $q
    local.get $n
    local.set 5
    local.set 4
    local.tee 3
    local.get 4
    local.get 5
    memory.copy
    i32.const 8
    local.get 3
    i64.extend_i32_u
    local.get 4
    i64.extend_i32_u
    local.get 5
    i64.extend_i32_u
    call 0
  )
  (func (;2;) (type 1) (param $p i64) (param $q i32) (param $n i32)
    (local i64 i32 i32)
    local.get $p
    local.get $q
    local.get $n
    local.set 5
    local.set 4
    local.tee 3
    local.get 4
    local.get 5
    memory.copy $b $a
    i32.const 9
    local.get 3
    local.get 4
    i64.extend_i32_u
    local.get 5
    i64.extend_i32_u
    call 0
  )
)
