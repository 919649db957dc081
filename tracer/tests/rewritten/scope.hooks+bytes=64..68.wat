;; site 8 (0x8): i32.store of function 0 at 0x22
;; site 9 (0x9): i32.store of function 1 at 0x2c
;; site 10 (0xa): memory.fill of function 1 at 0x35
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
;; segment 18 (0x12): sites 10 to 10
(module
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func $forkpoint:event (;0;) (type 1)))
  (memory (;0;) 1)
  (export "forkpoint:memory.0" (memory 0))
  (func $first (;1;) (type 0) (param $p i32)
    (local i32 i32)
    local.get $p
    i32.const 1
    local.set 2
    local.tee 1
    local.get 2
    i32.store
    local.get 1
    i64.extend_i32_u
    i64.const -61
    i64.add
    i64.const 7
    i64.lt_u
    if ;; label = @1
      i32.const 8
      local.get 1
      i64.extend_i32_u
      local.get 2
      i64.extend_i32_u
      i64.const 0
      call $forkpoint:event
    end
  )
  (func $second (;2;) (type 0) (param $p i32)
    (local i32 i32 i32)
    local.get $p
    i32.const 2
    local.set 2
    local.tee 1
    local.get 2
    i32.store offset=4
    local.get 1
    i64.extend_i32_u
    i64.const -57
    i64.add
    i64.const 7
    i64.lt_u
    if ;; label = @1
      i32.const 9
      local.get 1
      i64.extend_i32_u
      local.get 2
      i64.extend_i32_u
      i64.const 0
      call $forkpoint:event
    end
    local.get $p
    i32.const 0
    i32.const 8
    local.set 3
    local.set 2
    local.tee 1
    local.get 2
    local.get 3
    memory.fill
    i32.const 10
    local.get 1
    i64.extend_i32_u
    local.get 2
    i64.extend_i32_u
    local.get 3
    i64.extend_i32_u
    call $forkpoint:event
  )
)
